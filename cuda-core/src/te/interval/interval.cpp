#include "te/interval/interval.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "runtime/philox.hpp"
#include "runtime/thread_pool.hpp"
#include "te/gaussian/gaussian.hpp"
#include "te/surrogates/permutation.hpp"

namespace xcore::te {
namespace {

constexpr int kControls = 32;
constexpr int kSplits = 2;
const double kExtrapolation = 1 / (std::sqrt(2.0) - 1);
constexpr uint64_t kSplitStream = uint64_t{1} << 43;
constexpr uint64_t kControlStream = uint64_t{1} << 41;

// Between neighbouring locals of independent tuples there is no covariance, so the plain variance is the one to compare.
double plain_variance(const double* values, int64_t n) {
  const double mean = std::accumulate(values, values + n, 0.0) / static_cast<double>(n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += (values[i] - mean) * (values[i] - mean);
  return sum / static_cast<double>(n) / static_cast<double>(n);
}

// Lower factor of the covariance of all columns (P, S, F), row by row; a column explained by others gets a row without
// a diagonal.
std::vector<std::vector<double>> covariance_factor(const Embedding& e) {
  std::vector<const double*> columns;
  for (const Block* b : {&e.past, &e.source, &e.future})
    for (int32_t c = 0; c < b->dims; ++c) columns.push_back(b->values.data() + c * e.n);
  const size_t d = columns.size();
  const double n = static_cast<double>(e.n);
  std::vector<double> mean(d);
  for (size_t a = 0; a < d; ++a) mean[a] = std::accumulate(columns[a], columns[a] + e.n, 0.0) / n;
  std::vector<std::vector<double>> factor(d);
  for (size_t a = 0; a < d; ++a) {
    double own = 0;
    for (size_t b = 0; b <= a; ++b) {
      double sum = 0;
      for (int64_t i = 0; i < e.n; ++i) sum += (columns[a][i] - mean[a]) * (columns[b][i] - mean[b]);
      sum /= n;
      if (b == a) own = sum;
      for (size_t q = 0; q < b; ++q) sum -= factor[a][q] * (q < factor[b].size() ? factor[b][q] : 0.0);
      if (b < a) factor[a].push_back(factor[b][b] > 0 ? sum / factor[b][b] : 0.0);
      else factor[a].push_back(sum > 1e-12 * own ? std::sqrt(sum) : 0.0);
    }
  }
  return factor;
}

Embedding control_embedding(const Embedding& e, const std::vector<std::vector<double>>& factor, uint64_t seed, int index) {
  Embedding out;
  out.n = e.n, out.first = e.first;
  const size_t d = factor.size();
  Scratch<double> rows(d * static_cast<size_t>(e.n));
  Philox random(seed, kControlStream + static_cast<uint64_t>(index));
  std::vector<double> z(d);
  for (int64_t i = 0; i < e.n; ++i) {
    for (double& v : z) v = random.next_normal();
    for (size_t a = 0; a < d; ++a) {
      double sum = 0;
      for (size_t b = 0; b <= a; ++b) sum += factor[a][b] * z[b];
      rows[a * e.n + i] = sum;
    }
  }
  size_t at = 0;
  const auto take = [&](Block& block, int32_t dims) {
    block.dims = dims;
    block.values.assign(rows.begin() + at * e.n, rows.begin() + (at + dims) * e.n);
    at += dims;
  };
  take(out.past, e.past.dims);
  take(out.source, e.source.dims);
  take(out.future, e.future.dims);
  return out;
}

// Part of the tuples, in time order.
Embedding selected(const Embedding& e, const std::vector<int32_t>& rows) {
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

// The estimate less the mean of random halves; 0 when halves are too small for k and the Theiler window.
double half_difference(const Embedding& e, const xc_te_options& o, double whole, uint64_t stream, const Control& control) {
  if (e.n / 2 < 4 * (static_cast<int64_t>(o.k) + 2 * static_cast<int64_t>(o.theiler) + 1)) return 0;
  double sum = 0;
  std::vector<int32_t> rows(e.n);
  for (int split = 0; split < kSplits; ++split) {
    permutation(o.seed, kSplitStream + stream * kSplits + static_cast<uint64_t>(split), e.n, rows.data());
    for (int half = 0; half < 2; ++half) {
      std::vector<int32_t> part(rows.begin() + (half ? e.n / 2 : 0), half ? rows.end() : rows.begin() + e.n / 2);
      std::sort(part.begin(), part.end());
      sum += make_ksg(selected(e, part), o)->value(nullptr, control);
    }
  }
  return whole - sum / (2 * kSplits);
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
  const double n = static_cast<double>(e.n), p = 0.5 + o.interval / 2;
  double variance = hac_variance(locals, e.n), bias = 0, quantile = 0;
  if (o.estimator == XC_TE_KSG1 || o.estimator == XC_TE_KSG2) {
    const auto factor = covariance_factor(e);
    const double truth = gaussian_te(e, nullptr);
    const double centre = te + kExtrapolation * half_difference(e, o, te, kControls, control);
    std::vector<double> values(kControls), errors(kControls);
    thread_pool().parallel_for(kControls, 1, [&](int64_t begin, int64_t end) {
      std::vector<double> own(e.n);
      for (int64_t c = begin; c < end; ++c) {
        const Embedding drawn = control_embedding(e, factor, o.seed, static_cast<int>(c));
        const double whole = make_ksg(drawn, o)->value(own.data(), control);
        values[c] = whole + kExtrapolation * half_difference(drawn, o, whole, static_cast<uint64_t>(c), control);
        errors[c] = plain_variance(own.data(), e.n);
      }
    });
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / kControls;
    double spread = 0;
    for (const double v : values) spread += (v - mean) * (v - mean);
    spread /= kControls - 1;
    const double expected = std::accumulate(errors.begin(), errors.end(), 0.0) / kControls;
    bias = te - centre + (std::isfinite(truth) ? mean - truth : 0.0);
    if (expected > 0) variance *= std::max(1.0, spread / expected);
    variance += spread / kControls;  // of the bias
    quantile = student_quantile(p, kControls - 1);
  } else {
    double freedom = static_cast<double>(e.source.dims) * e.future.dims;
    if (o.estimator == XC_TE_BINNED) {
      xc_te_options corrected = o;
      corrected.bias_correction = 1;
      const double plain = o.bias_correction ? 0 : te;
      if (!o.bias_correction) bias = plain - make_binned(e, corrected)->value(nullptr, control);
      freedom = std::max(0.0, 2 * n * bias);
    } else if (o.estimator == XC_TE_GAUSSIAN) {
      if (!o.bias_correction) bias = freedom / (2 * n);
    } else {
      freedom = 0;
    }
    variance += freedom / (2 * n * n);
    quantile = normal_quantile(p);
  }
  const double error = std::sqrt(variance);
  return {te - bias - quantile * error, te - bias + quantile * error, error, bias};
}

}  // namespace xcore::te
