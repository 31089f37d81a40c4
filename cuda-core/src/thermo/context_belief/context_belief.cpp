#include "thermo/context_belief/context_belief.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/cpu_features.hpp"
#include "runtime/error.hpp"

namespace xcore::thermo {
namespace {

const RootKernels& kernels() {
#if defined(__x86_64__)
  static const CpuLevel level = cpu_features().level;
  if (level >= CpuLevel::avx512) return kRootKernelsAvx512;
  if (level >= CpuLevel::avx2) return kRootKernelsAvx2;
#endif
  return kRootKernelsPortable;
}

// The parts of a context's block.
class View {
 public:
  explicit View(const xc_thermo_context& c) : c_(c), stride_(XC_THERMO_CONTEXT_STRIDE(c.size)), k_(kernels()) {}

  int32_t stride() const { return stride_; }
  bool seen(int32_t m) const { return c_.seen[m] != 0; }
  double* root(int32_t m) const { return c_.block + m * part(); }
  double* mean(int32_t m) const { return root(m) + static_cast<int64_t>(c_.size) * stride_; }
  double* common() const { return root(c_.models); }
  double* pull() const { return mean(c_.models); }
  double* centre() const { return pull() + stride_; }

  void across(const double* root, const double* x, double* f) const { k_.across(root, x, c_.size, stride_, f); }
  void times(const double* root, const double* f, double* out) const { k_.times(root, f, c_.size, stride_, out); }
  double dot(const double* x, const double* y) const { return k_.dot(x, y, stride_); }
  // out = C x; f = L' x. Returns the variance along x.
  double covariance(const double* root, const double* x, double* f, double* out) const {
    across(root, x, f);
    times(root, f, out);
    return dot(f, f);
  }
  // |L' x|^2
  double variance(const double* root, const double* x, double* f) const {
    across(root, x, f);
    return dot(f, f);
  }
  // Takes an observation along x of unit noise by the update of J. E. Potter (1963; see G. J. Bierman, "Factorization methods for
  // discrete sequential estimation", 1977): O(size^2), and no covariance is ever subtracted. gain = C x of before.
  double observe(double* root, const double* x, double* f, double* gain) const {
    const double variance = covariance(root, x, f, gain), shrink = 1 / (1 + variance);
    k_.lower(root, gain, f, shrink / (1 + std::sqrt(shrink)), c_.size, stride_);
    return variance;
  }

 private:
  int64_t part() const { return (static_cast<int64_t>(c_.size) + 1) * stride_; }

  const xc_thermo_context& c_;
  const int32_t stride_;
  const RootKernels& k_;
};

// Padded vectors of one call.
class Scratch {
 public:
  Scratch(int32_t stride, int count) : stride_(stride) {
    const size_t n = static_cast<size_t>(stride) * count;
    if (n > kInPlace) heap_.resize(n);
    data_ = n > kInPlace ? heap_.data() : place_;
    std::fill_n(data_, n, 0.0);
  }
  double* operator[](int k) { return data_ + static_cast<size_t>(k) * stride_; }

 private:
  static constexpr size_t kInPlace = 1024;
  const int32_t stride_;
  alignas(64) double place_[kInPlace];
  std::vector<double> heap_;
  double* data_;
};

}  // namespace

void check_context(const xc_thermo_context& c) {
  if (c.models < 1 || c.models > XC_THERMO_CONTEXT_MODELS_MAX)
    throw invalid_argument("models", "models is %d; it must be 1 to %d", c.models, XC_THERMO_CONTEXT_MODELS_MAX);
  if (c.size < 1 || c.size > XC_THERMO_CONTEXT_SIZE_MAX)
    throw invalid_argument("size", "size is %d; it must be 1 to %d", c.size, XC_THERMO_CONTEXT_SIZE_MAX);
  if (!(c.own > 0 && std::isfinite(c.own))) throw invalid_argument("own", "the own precision must be above 0 and finite");
  if (!c.block || !c.seen) throw invalid_argument("block", "an array is missing");
}

void context_predict(const xc_thermo_context& c, const double* regressors, double* shifts, double* variances) {
  const View v(c);
  Scratch scratch(v.stride(), 3);
  double *x = scratch[0], *f = scratch[1], *gain = scratch[2];
  std::copy_n(regressors, c.size, x);
  double unseen = -1;  // variance of models without outcomes, the same for all
  for (int32_t m = 0; m < c.models; ++m) {
    if (!v.seen(m)) {
      if (unseen < 0) unseen = v.dot(x, x) / c.own + v.variance(v.common(), x, f);
      shifts[m] = v.dot(x, v.centre());
      variances[m] = unseen;
      continue;
    }
    const double given = v.covariance(v.root(m), x, f, gain);
    shifts[m] = v.dot(x, v.mean(m)) + c.own * v.dot(gain, v.centre());
    variances[m] = given + c.own * c.own * v.variance(v.common(), gain, f);
  }
}

double context_observe(const xc_thermo_context& c, int32_t model, const double* regressors, double difference) {
  if (model < 0 || model >= c.models) throw invalid_argument("model", "model is %d; there are %d", model, c.models);
  const View v(c);
  Scratch scratch(v.stride(), 3);
  double *x = scratch[0], *f = scratch[1], *gain = scratch[2];
  std::copy_n(regressors, c.size, x);
  double *mean = v.mean(model), *pull = v.pull();
  const double given = v.observe(v.root(model), x, f, gain);
  const double alone = difference - v.dot(x, mean), error = alone - c.own * v.dot(gain, v.centre());
  const double surprise = error * error / (1 + given + c.own * c.own * v.variance(v.common(), gain, f));
  const double step = alone / (1 + given), scale = c.own / std::sqrt(1 + given);
  for (int32_t i = 0; i < c.size; ++i) {
    mean[i] += gain[i] * step;
    pull[i] += c.own * gain[i] * step;
    x[i] = gain[i] * scale;
  }
  v.observe(v.common(), x, f, gain);
  v.covariance(v.common(), pull, f, v.centre());
  return surprise;
}

void context_settle(const xc_thermo_context& c) {
  const View v(c);
  Scratch scratch(v.stride(), 1);
  v.covariance(v.common(), v.pull(), scratch[0], v.centre());
}

void context_draw(const xc_thermo_context& c, double deviation, const double* normals, double* weights) {
  const View v(c);
  Scratch scratch(v.stride(), 4);
  double *common = scratch[0], *y = scratch[1], *f = scratch[2], *row = scratch[3];
  std::copy_n(v.centre(), c.size, common);
  if (deviation > 0) {
    std::copy_n(normals, c.size, y);
    v.times(v.common(), y, row);
    for (int32_t i = 0; i < c.size; ++i) common[i] += deviation * row[i];
  }
  for (int32_t m = 0; m < c.models; ++m) {
    double* out = weights + static_cast<int64_t>(m) * c.size;
    if (deviation > 0) normals += c.size;
    if (!v.seen(m)) {
      const double own = deviation / std::sqrt(c.own);
      for (int32_t i = 0; i < c.size; ++i) out[i] = common[i] + (deviation > 0 ? own * normals[i] : 0);
      continue;
    }
    // mean + OWN C w + deviation L z, C being L L'.
    v.across(v.root(m), common, f);
    for (int32_t i = 0; i < c.size; ++i) f[i] = c.own * f[i] + (deviation > 0 ? deviation * normals[i] : 0);
    v.times(v.root(m), f, row);
    const double* mean = v.mean(m);
    for (int32_t i = 0; i < c.size; ++i) out[i] = row[i] + mean[i];
  }
}

double context_variance_along(const xc_thermo_context& c, const double* directions) {
  const View v(c);
  Scratch scratch(v.stride(), 4);
  double *x = scratch[0], *f = scratch[1], *gain = scratch[2], *gathered = scratch[3];
  double variance = 0;
  for (int32_t m = 0; m < c.models; ++m) {
    const double* own = directions + static_cast<int64_t>(m) * c.size;
    if (std::all_of(own, own + c.size, [](double d) { return d == 0; })) continue;
    std::copy_n(own, c.size, x);
    if (v.seen(m)) {
      variance += v.covariance(v.root(m), x, f, gain);
      for (int32_t i = 0; i < c.size; ++i) gathered[i] += c.own * gain[i];
    } else {
      variance += v.dot(x, x) / c.own;
      for (int32_t i = 0; i < c.size; ++i) gathered[i] += x[i];
    }
  }
  return variance + v.variance(v.common(), gathered, f);
}

void context_regressors(const double* features, int32_t n, const double* frequencies, const double* phases, int32_t cosines,
                        double* out) {
  const double share = 1 / std::sqrt(static_cast<double>(n)), amplitude = std::sqrt(2.0 / cosines);
  out[0] = 1;
  for (int32_t i = 0; i < n; ++i) out[1 + i] = share * features[i];
  double* phase = out + 1 + n;
  std::copy_n(phases, cosines, phase);
  for (int32_t i = 0; i < n; ++i) {
    const double z = features[i];
    const double* row = frequencies + static_cast<int64_t>(i) * cosines;
    for (int32_t k = 0; k < cosines; ++k) phase[k] += row[k] * z;
  }
  for (int32_t k = 0; k < cosines; ++k) phase[k] = amplitude * std::cos(phase[k]);
}

}  // namespace xcore::thermo
