#include "te/interval/interval.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "te/interval/extrapolation.hpp"
#include "te/interval/noncentral.hpp"
#include "te/kernel/kernel.hpp"
#include "te/ksg/ksg.hpp"
#include "te/ksg/ksg_estimator.hpp"
#include "te/surrogates/permutation.hpp"

namespace xcore::te {
namespace {

constexpr int32_t kNeighbours[] = {2, 3, 4, 6, 8, 12, 16, 24, 32};
constexpr int kPairs = 12;    // of halves
constexpr int kBlocks = 32;   // of time, to halve
constexpr uint64_t kHalfStream = uint64_t{1} << 43;

// The tuples whose block of time is kept.
Embedding selected(const Embedding& e, const std::vector<uint8_t>& kept) {
  std::vector<int32_t> rows;
  for (int64_t i = 0; i < e.n; ++i)
    if (kept[i * static_cast<int64_t>(kept.size()) / e.n]) rows.push_back(static_cast<int32_t>(i));
  Embedding out;
  out.n = static_cast<int64_t>(rows.size()), out.first = e.first;
  const auto take = [&](const Block& from, Block& to) {
    to.dims = from.dims;
    to.values.reserve(static_cast<size_t>(from.dims) * rows.size());
    for (int32_t c = 0; c < from.dims; ++c)
      for (const int32_t r : rows) to.values.push_back(from.values[c * e.n + r]);
  };
  take(e.future, out.future);
  take(e.past, out.past);
  take(e.source, out.source);
  for (const int32_t r : rows) out.time.push_back(e.time.empty() ? r : e.time[r]);
  return out;
}

double normal_quantile(double p) {
  // Newton on the complementary error function from a rough start.
  double x = p < 0.5 ? -1 : 1;
  for (int i = 0; i < 60; ++i) {
    const double error = 0.5 * std::erfc(-x / std::sqrt(2.0)) - p;
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979323846);
    const double step = error / std::max(density, 1e-12);
    x -= std::clamp(step, -1.0, 1.0);
    if (std::fabs(step) < 1e-13) break;
  }
  return x;
}

// Algorithm 1 at several k.
std::vector<double> curve(const Embedding& e, const xc_te_options& o, const std::vector<int32_t>& neighbours, const Control& control) {
  xc_te_options own = o;
  own.estimator = XC_TE_KSG1;
  return ksg_values(e, own, neighbours, control);
}

// Values of random halves: kPairs x 2 x `many`, the two of a pair sharing nothing.
class Halves {
 public:
  template <class Values>
  Halves(const Embedding& e, uint64_t seed, int32_t blocks, size_t many, const Values& values_of) : many_(many), values_(2 * kPairs * many) {
    thread_pool().parallel_for(2 * kPairs, 1, [&](int64_t begin, int64_t end) {
      for (int64_t h = begin; h < end; ++h) {
        std::vector<int32_t> order(blocks);
        permutation(seed, kHalfStream + static_cast<uint64_t>(h / 2), blocks, order.data());
        std::vector<uint8_t> kept(blocks);
        for (int32_t b = 0; b < blocks; ++b) kept[order[b]] = (b < blocks / 2) == (h % 2 == 0);
        const std::vector<double> part = values_of(selected(e, kept));
        std::copy(part.begin(), part.end(), values_.begin() + h * static_cast<int64_t>(many));
      }
    });
  }
  // Mean square of half the difference of two halves: the variance of the weighted value of the whole.
  double variance(const std::vector<double>& weights) const {
    double sum = 0;
    for (int pair = 0; pair < kPairs; ++pair) {
      double difference = 0;
      for (size_t i = 0; i < many_; ++i) difference += weights[i] * (values_[2 * pair * many_ + i] - values_[(2 * pair + 1) * many_ + i]);
      sum += difference * difference / 4;
    }
    return sum / kPairs;
  }
  double mean() const { return std::accumulate(values_.begin(), values_.end(), 0.0) / static_cast<double>(values_.size()); }

 private:
  size_t many_;
  std::vector<double> values_;
};

int32_t blocks_of(const Embedding& e) { return static_cast<int32_t>(std::min<int64_t>(kBlocks, e.n / 2)); }

Interval of_neighbours(const Embedding& e, const xc_te_options& o, double te, const double* locals, double p, const Control& control) {
  const int32_t blocks = blocks_of(e);
  std::vector<int32_t> neighbours;
  for (const int32_t k : kNeighbours)
    if (e.n / 2 - e.n / std::max(1, blocks) > 4 * int64_t{k} + 2 * int64_t{o.theiler}) neighbours.push_back(k);
  if (neighbours.size() < 3) {  // too short for halves: the locals' error, as it is
    const double error = std::sqrt(hac_variance(locals, e.n)), q = student_quantile(p, 10);
    return {te - q * error, te + q * error, error, 0};
  }
  const size_t many = neighbours.size();
  const auto curve_of = [&](const Embedding& part) { return curve(part, o, neighbours, control); };
  const std::vector<double> values = curve_of(e);
  const Halves halves(e, o.seed, blocks, many, curve_of);
  double observed = 0, expected = 0;
  for (size_t i = 0; i + 1 < many; ++i) {
    std::vector<double> weights(many, 0.0);
    weights[i] = 1, weights[many - 1] = -1;
    observed += halves.variance(weights);
    expected += neighbour_noise(neighbours[i]) - neighbour_noise(neighbours[many - 1]);
  }
  const double noise = std::max(observed / expected, 0.01 / static_cast<double>(e.n));
  const Extrapolation at_none = extrapolate(neighbours, values, noise);
  const double sampling = halves.variance(at_none.weights), variance = sampling + at_none.model_variance;
  const double freedom = sampling > 0 ? kPairs * (variance / sampling) * (variance / sampling) : 1e9;
  const double error = std::sqrt(variance), q = student_quantile(p, freedom);
  return {at_none.value - q * error, at_none.value + q * error, error, te - at_none.value};
}

// The box kernel's value with the digamma of each count in the place of its logarithm.
double value_of_boxes(const Embedding& e, const xc_te_options& o, const Control& control) {
  Scratch<KernelCounts> counts(e.n);
  kernel_counts_cpu(kernel_problem(e, o), nullptr, counts.data(), control);
  const std::vector<double> psi = digamma_table(e.n + 1);
  double sum = 0;
  for (const KernelCounts& c : counts) sum += psi[c.all] + psi[c.past] - psi[c.source_past] - psi[c.future_past];
  return sum / static_cast<double>(e.n);
}

Interval of_boxes(const Embedding& e, const xc_te_options& o, double te, double p, const Control& control) {
  const int32_t blocks = blocks_of(e);
  const double whole = value_of_boxes(e, o, control);
  if (blocks < 4) return {whole, whole, 0, te - whole};
  const Halves halves(e, o.seed, blocks, 1, [&](const Embedding& part) { return std::vector<double>{value_of_boxes(part, o, control)}; });
  const double centre = 2 * whole - halves.mean();  // what is left of the bias falls with 1/n
  const double error = std::sqrt(halves.variance({1.0})), q = student_quantile(p, kPairs);
  return {centre - q * error, centre + q * error, error, te - centre};
}

Interval of_smooth(const Embedding& e, const xc_te_options& o, double te, const double* locals, const Control& control) {
  const double n = static_cast<double>(e.n);
  double raw = te, bias = static_cast<double>(e.source.dims) * e.future.dims / (2 * n);
  if (o.estimator == XC_TE_BINNED) {
    xc_te_options plain = o;
    plain.bias_correction = 0;
    raw = make_binned(e, plain)->value(nullptr, control);
    if (const int32_t blocks = blocks_of(e); blocks >= 4) {
      const Halves halves(e, o.seed, blocks, 1, [&](const Embedding& part) {
        return std::vector<double>{make_binned(part, plain)->value(nullptr, control)};
      });
      bias = std::max(0.0, halves.mean() - raw);  // twice in halves
    }
  } else if (o.bias_correction) {
    raw += bias;
  }
  raw = std::max(0.0, raw);
  const double variance = hac_variance(locals, e.n);
  const double unit = raw > 0 && variance > 0 ? variance / (4 * raw) : 1 / (2 * n);
  const double freedom = std::max(1.0, std::round(bias / unit));
  const Limits limits = noncentrality_limits(raw / unit, freedom, o.interval);
  return {limits.low * unit, limits.high * unit, std::sqrt(variance + 2 * freedom * unit * unit), te - (raw - bias)};
}

}  // namespace

double hac_variance(const double* values, int64_t n) {
  const double count = static_cast<double>(n);
  const double mean = std::accumulate(values, values + n, 0.0) / count;
  const int64_t lags = std::min<int64_t>(n - 1, static_cast<int64_t>(std::floor(4 * std::pow(count / 100, 2.0 / 9))));
  double plain = 0;
  for (int64_t i = 0; i < n; ++i) plain += (values[i] - mean) * (values[i] - mean);
  double total = plain;
  for (int64_t l = 1; l <= lags; ++l) {
    double covariance = 0;
    for (int64_t i = l; i < n; ++i) covariance += (values[i] - mean) * (values[i - l] - mean);
    total += 2 * (1 - static_cast<double>(l) / (static_cast<double>(lags) + 1)) * covariance;
  }
  return std::max(total, 0.5 * plain) / count / count;
}

double student_quantile(double p, double freedom) {
  const double z = normal_quantile(p), z2 = z * z;
  // Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5).
  const double g1 = (z2 + 1) * z / 4, g2 = ((5 * z2 + 16) * z2 + 3) * z / 96, g3 = (((3 * z2 + 19) * z2 + 17) * z2 - 15) * z / 384;
  return z + g1 / freedom + g2 / (freedom * freedom) + g3 / (freedom * freedom * freedom);
}

Interval confidence_interval(const Embedding& e, const xc_te_options& o, double te, const double* locals, const Control& control) {
  const double p = 0.5 + o.interval / 2;
  switch (o.estimator) {
    case XC_TE_KSG1:
    case XC_TE_KSG2: return of_neighbours(e, o, te, locals, p, control);
    case XC_TE_KERNEL: return of_boxes(e, o, te, p, control);
    default: return of_smooth(e, o, te, locals, control);
  }
}

}  // namespace xcore::te
