#include <algorithm>
#include <cmath>

#include "runtime/error.hpp"
#include "runtime/thread_pool.hpp"
#include "te/network/gaussian/gaussian_pairs.hpp"

namespace xcore::te {
namespace {

// In four running sums, whose order is fixed, so that a compiler may use vectors.
double dot(const double* a, const double* b, int64_t n) {
  double sum[8] = {};
  int64_t t = 0;
  for (; t + 8 <= n; t += 8)
    for (int l = 0; l < 8; ++l) sum[l] += a[t + l] * b[t + l];
  for (; t < n; ++t) sum[0] += a[t] * b[t];
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

// Centred, of length 1; zeros for a constant column.
void to_unit(const double* x, int64_t n, double* out) {
  double sum = 0;
  for (int64_t t = 0; t < n; ++t) sum += x[t] - x[0];
  const double mean = sum / static_cast<double>(n);
  bool varies = false;
  for (int64_t t = 0; t < n; ++t) {
    out[t] = (x[t] - x[0]) - mean;
    varies = varies || x[t] != x[0];
  }
  const double length = std::sqrt(dot(out, out, n));
  for (int64_t t = 0; t < n; ++t) out[t] = varies && length > 0 ? out[t] / length : 0.0;
}

class GaussianPairsCpu final : public Pairs {
 public:
  GaussianPairsCpu(const Columns& columns, const int32_t* permutations)
      : c_(columns), permutations_(permutations), past_(c_.past_dims), source_(c_.source_dims), wide_(past_ + 1) {
    if (past_ + source_ + 1 > kGaussianMaxDims)
      throw invalid_argument("targetHistory", "a Gaussian network takes %d embedded columns a pair at most; here they are %d",
                             kGaussianMaxDims, past_ + source_ + 1);
    const int64_t n = c_.n;
    sources_.resize(c_.source.size());
    source_own_.resize(static_cast<size_t>(c_.variables) * source_ * source_);
    thread_pool().parallel_for(c_.variables, 1, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) {
        double* units = sources_.data() + v * source_ * n;
        for (int h = 0; h < source_; ++h) to_unit(c_.source.data() + (v * source_ + h) * n, n, units + h * n);
        for (int i = 0; i < source_; ++i)
          for (int j = 0; j < source_; ++j) source_own_[(v * source_ + i) * source_ + j] = dot(units + i * n, units + j * n, n);
      }
    });
  }
  int32_t targets_at_once() const override { return 64; }

  void prepare(int32_t from, int32_t to, const Control& control) override {
    from_ = from, to_ = to;
    const int64_t n = c_.n;
    targets_.resize(static_cast<size_t>(to - from) * wide_ * n);
    target_own_.resize(static_cast<size_t>(to - from) * wide_ * wide_);
    thread_pool().parallel_for(to - from, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        control.throw_if_cancelled();
        double* units = targets_.data() + t * wide_ * n;
        for (int h = 0; h < past_; ++h) to_unit(c_.past.data() + ((from + t) * past_ + h) * n, n, units + h * n);
        to_unit(c_.future.data() + (from + t) * n, n, units + past_ * n);
        for (int i = 0; i < wide_; ++i)
          for (int j = 0; j < wide_; ++j) target_own_[(t * wide_ + i) * wide_ + j] = dot(units + i * n, units + j * n, n);
      }
    });
  }

  void originals(double* te, const Control& control) override {
    // Sources in blocks that stay in the cache while the targets pass by.
    constexpr int32_t kBlock = 16;
    const int32_t blocks = (c_.variables + kBlock - 1) / kBlock;
    thread_pool().parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        for (int32_t target = 0; target < to_ - from_; ++target) {
          control.throw_if_cancelled();
          for (int32_t x = static_cast<int32_t>(block) * kBlock; x < std::min<int32_t>(c_.variables, static_cast<int32_t>(block + 1) * kBlock); ++x)
            te[static_cast<int64_t>(target) * c_.variables + x] = value({x, from_ + target}, sources_.data() + static_cast<int64_t>(x) * source_ * c_.n);
        }
      }
    });
  }

  void surrogates(const Pair* pairs, int64_t pair_count, int32_t first, int32_t count, double* te, const Control& control) override {
    const int64_t n = c_.n;
    thread_pool().parallel_for(pair_count, 1, [&](int64_t begin, int64_t end) {
      std::vector<double> permuted(static_cast<size_t>(source_) * n);
      for (int64_t p = begin; p < end; ++p) {
        control.throw_if_cancelled();
        const double* units = sources_.data() + static_cast<int64_t>(pairs[p].source) * source_ * n;
        for (int32_t m = 0; m < count; ++m) {
          const int32_t* rows = permutations_ + (first + m) * n;
          for (int h = 0; h < source_; ++h)
            for (int64_t t = 0; t < n; ++t) permuted[h * n + t] = units[h * n + rows[t]];
          te[p * count + m] = value(pairs[p], permuted.data());
        }
      }
    });
  }

 private:
  double value(Pair pair, const double* units) const {
    if (c_.nothing(pair.source, pair.target)) return 0;
    const int64_t n = c_.n;
    const double* target = targets_.data() + static_cast<int64_t>(pair.target - from_) * wide_ * n;
    const double* t = target_own_.data() + static_cast<int64_t>(pair.target - from_) * wide_ * wide_;
    const double* s = source_own_.data() + static_cast<int64_t>(pair.source) * source_ * source_;
    if (past_ == 1 && source_ == 1)
      return gaussian_pair_te_1(t[0], s[0], t[3], dot(target, units, n), t[1], dot(target + n, units, n));
    const int dims = wide_ + source_;
    double r[kGaussianMaxDims * kGaussianMaxDims];
    const auto place = [&](int column) { return column < past_ ? column : dims - 1; };  // of a target's column: P, S, F
    for (int i = 0; i < wide_; ++i)
      for (int j = 0; j < wide_; ++j) r[place(i) * dims + place(j)] = t[i * wide_ + j];
    for (int i = 0; i < source_; ++i)
      for (int j = 0; j < source_; ++j) r[(past_ + i) * dims + past_ + j] = s[i * source_ + j];
    for (int i = 0; i < wide_; ++i)
      for (int j = 0; j < source_; ++j)
        r[place(i) * dims + past_ + j] = r[(past_ + j) * dims + place(i)] = dot(target + i * n, units + j * n, n);
    return gaussian_pair_te(r, past_, source_);
  }

  const Columns& c_;
  const int32_t* permutations_;
  const int past_, source_, wide_;
  std::vector<double> sources_, source_own_;  // [variable][source][n], [variable][source][source]
  std::vector<double> targets_, target_own_;  // [target][P, F][n], [target][P, F][P, F]
  int32_t from_ = 0, to_ = 0;
};

}  // namespace

std::unique_ptr<Pairs> gaussian_pairs_cpu(const Columns& columns, const int32_t* permutations) {
  return std::make_unique<GaussianPairsCpu>(columns, permutations);
}

}  // namespace xcore::te
