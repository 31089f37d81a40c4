#include "te/interval/interval.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "te/binned/binned.hpp"
#include "te/interval/extrapolation.hpp"
#include "te/interval/noncentral.hpp"
#include "te/interval/resampling.hpp"
#include "te/kernel/kernel.hpp"
#include "te/ksg/ksg.hpp"
#include "te/ksg/ksg_estimator.hpp"

namespace xcore::te {
namespace {

constexpr int32_t kNeighbours[] = {2, 3, 4, 6, 8, 12, 16, 24, 32};
constexpr int kMovedBins = 64, kMovedBoxes = 24;  // sources moved in time

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

Interval of_neighbours(const Embedding& e, const xc_te_options& o, double te, const double* locals, double p, const Control& control) {
  std::vector<int32_t> neighbours;
  for (const int32_t k : kNeighbours)
    if (Halves::tuples(e.n) > 4 * int64_t{k} + 2 * int64_t{o.theiler}) neighbours.push_back(k);
  if (neighbours.size() < 3) {  // too short for halves: the locals' error, as it is
    const double error = std::sqrt(hac_variance(locals, e.n)), q = student_quantile(p, 10);
    return {te - q * error, te + q * error, error, 0};
  }
  const size_t many = neighbours.size();
  const auto curve_of = [&](const Embedding& part) { return curve(part, o, neighbours, control); };
  const std::vector<double> values = curve_of(e);
  const Halves halves(e, o.seed, many, curve_of);
  double observed = 0, expected = 0;
  for (size_t i = 0; i + 1 < many; ++i) {
    std::vector<double> weights(many, 0.0);
    weights[i] = 1, weights[many - 1] = -1;
    observed += halves.variance(weights);
    expected += neighbour_noise(neighbours[i]) - neighbour_noise(neighbours[many - 1]);
  }
  const double noise = std::max(observed / expected, 0.01 / static_cast<double>(e.n));
  const Extrapolation at_none = extrapolate(neighbours, values, e.n, noise);
  const double sampling = halves.variance(at_none.weights), variance = sampling + at_none.model_variance;
  const double freedom = sampling > 0 ? Halves::kPairs * (variance / sampling) * (variance / sampling) : 1e9;
  const double error = std::sqrt(variance), q = student_quantile(p, freedom);
  return {at_none.value - q * error, at_none.value + q * error, error, te - at_none.value};
}

// The box kernel's value, and the same with digammas in the place of the counts' logarithms.
struct BoxValues {
  double plain, digamma;
};
BoxValues box_values(const KernelProblem& problem, const int32_t* rows, const std::vector<double>& psi, const Control& control) {
  Scratch<KernelCounts> counts(problem.n);
  kernel_counts_cpu(problem, rows, counts.data(), control);
  double digamma = 0;
  for (const KernelCounts& c : counts) digamma += psi[c.all] + psi[c.past] - psi[c.source_past] - psi[c.future_past];
  return {kernel_value(counts.data(), problem.n, nullptr), digamma / static_cast<double>(problem.n)};
}

Interval of_boxes(const Embedding& e, const xc_te_options& o, double te, double p, const Control& control) {
  if (e.n < 8) return {te, te, 0, 0};
  const std::vector<double> psi = digamma_table(e.n + 1);
  const KernelProblem problem = kernel_problem(e, o);
  const BoxValues whole = box_values(problem, nullptr, psi, control);
  std::vector<BoxValues> moved(kMovedBoxes);
  thread_pool().parallel_for(kMovedBoxes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) moved[s] = box_values(problem, moved_rows(o, e.n, static_cast<int>(s)).data(), psi, control);
  });
  double without = 0, excess = 0;
  for (const BoxValues& m : moved) without += m.digamma / kMovedBoxes, excess += (m.plain - m.digamma) / kMovedBoxes;
  const double scale = excess > 0 ? std::clamp((whole.plain - whole.digamma) / excess, -1.0, 2.0) : 0;
  const double centre = whole.digamma - without * scale;
  const Halves halves(e, o.seed, 1, [&](const Embedding& part) {
    return std::vector<double>{box_values(kernel_problem(part, o), nullptr, psi, control).digamma};
  });
  const double error = std::sqrt(halves.variance({1.0})), q = student_quantile(p, Halves::kPairs);
  return {centre - q * error, centre + q * error, error, te - centre};
}

// Of a value `raw` whose squared effect has this bias, in units of `unit` noncentral chi-squared. `te` as it was given.
Interval of_squares(double te, double raw, double bias, double unit, double variance, double level) {
  const double freedom = std::max(1.0, std::round(bias / unit));
  const Limits limits = noncentrality_limits(raw / unit, freedom, level);
  return {limits.low * unit, limits.high * unit, std::sqrt(variance + 2 * freedom * unit * unit), te - (raw - bias)};
}

Interval of_gaussian(const Embedding& e, const xc_te_options& o, double te, const double* locals) {
  const double n = static_cast<double>(e.n), bias = static_cast<double>(e.source.dims) * e.future.dims / (2 * n);
  const double raw = std::max(0.0, te + (o.bias_correction ? bias : 0)), variance = hac_variance(locals, e.n);
  const double unit = raw > 0 && variance > 0 ? variance / (4 * raw) : 1 / (2 * n);
  return of_squares(te, raw, bias, unit, variance, o.interval);
}

// Every column cut into bins of equal frequency of its own.
Embedding binned_anew(const Embedding& values, xc_te_options o) {
  o.valid = nullptr;
  Embedding out = values;
  for (Block* block : {&out.future, &out.past, &out.source})
    if (block->dims > 0) block->values = binned_series({block->values.data(), block->dims, 0}, out.n, o);
  return out;
}

Interval of_bins(const Embedding& e, const Embedding& unbinned, const xc_te_options& o, double te, const double* locals,
                 const Control& control) {
  const double n = static_cast<double>(e.n);
  xc_te_options own = o;
  own.bias_correction = 0;
  double variance = hac_variance(locals, e.n);
  if (Halves::tuples(e.n) > 2) {
    const bool cut = o.binning == XC_TE_EQUAL_FREQUENCY;
    const Halves halves(cut ? unbinned : e, o.seed, 1, [&](const Embedding& part) {
      return std::vector<double>{make_binned(cut ? binned_anew(part, own) : part, own)->value(nullptr, control)};
    });
    variance = std::max(variance, halves.variance({1.0}));
  }
  const auto plain = make_binned(e, own);
  own.bias_correction = 1;
  const auto corrected = make_binned(e, own);
  const double raw = std::max(0.0, plain->value(nullptr, control)), cells = raw - corrected->value(nullptr, control);
  std::vector<double> moved(kMovedBins), moved_corrected(kMovedBins);
  thread_pool().parallel_for(kMovedBins, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      const std::vector<int32_t> rows = moved_rows(o, e.n, static_cast<int>(s));
      plain->permuted(rows.data(), 1, &moved[s], control);
      corrected->permuted(rows.data(), 1, &moved_corrected[s], control);
    }
  });
  double mean = 0, spread = 0, moved_cells = 0;
  for (int s = 0; s < kMovedBins; ++s) mean += moved[s] / kMovedBins, moved_cells += (moved[s] - moved_corrected[s]) / kMovedBins;
  for (const double m : moved) spread += (m - mean) * (m - mean) / (kMovedBins - 1);
  const double smallest = 1e-3 / n;
  mean = std::max(mean, smallest), spread = std::max(spread, smallest * smallest);
  // Influence empties cells, and the bias falls with them; a value like those without influence has theirs.
  const double distance = std::clamp(((raw - mean) / std::sqrt(spread) - 1) / 3, 0.0, 1.0);
  const double share = moved_cells > 0 ? std::clamp(cells / moved_cells, 0.0, 2.0) : 1;
  const double bias = mean * (1 + distance * (share - 1));
  const double effect = std::max(0.0, raw - bias);
  const double of_locals = raw > 0 && variance > 0 ? variance / (4 * raw) : 1 / (2 * n);
  const double unit = (bias * spread / (2 * mean) + effect * of_locals) / (bias + effect);
  return of_squares(te, raw, bias, unit, variance, o.interval);
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

Interval confidence_interval(const Embedding& e, const Embedding& unbinned, const xc_te_options& o, double te, const double* locals,
                             const Control& control) {
  const double p = 0.5 + o.interval / 2;
  switch (o.estimator) {
    case XC_TE_KSG1:
    case XC_TE_KSG2: return of_neighbours(e, o, te, locals, p, control);
    case XC_TE_KERNEL: return of_boxes(e, o, te, p, control);
    case XC_TE_BINNED: return of_bins(e, unbinned, o, te, locals, control);
    default: return of_gaussian(e, o, te, locals);
  }
}

}  // namespace xcore::te
