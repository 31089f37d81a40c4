#include "te/embedding/embedding.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/error.hpp"
#include "runtime/philox.hpp"

namespace xcore::te {
namespace {

void at_least(const char* field, int64_t value, int64_t minimum) {
  if (value < minimum)
    throw invalid_argument(field, "%s is %lld and must be at least %lld", field, static_cast<long long>(value),
                           static_cast<long long>(minimum));
}

// Returns whether every variable is constant.
bool check_finite(const xc_te_series& series, int64_t samples, const char* field) {
  bool constant = true;
  for (int32_t v = 0; v < series.variables; ++v) {
    const double* x = series.values + v * samples;
    for (int64_t i = 0; i < samples; ++i) {
      if (!std::isfinite(x[i]))
        throw invalid_argument(field, "%s holds %s at index %lld of variable %d; every value must be finite", field,
                               std::isnan(x[i]) ? "NaN" : "an infinity", static_cast<long long>(i), v);
      constant = constant && x[i] == x[0];
    }
  }
  return constant;
}

void append_lags(Block& block, const xc_te_series& series, int64_t samples, int64_t n, int64_t newest, int32_t history,
                 int32_t tau) {
  for (int32_t v = 0; v < series.variables; ++v) {
    for (int32_t h = 0; h < history; ++h) {
      const double* from = series.values + v * samples + newest - static_cast<int64_t>(h) * tau;
      block.values.insert(block.values.end(), from, from + n);
      ++block.dims;
    }
  }
}

// Plain sums in index order: data with exact ties can tell another order apart.
void normalise(double* column, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += column[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (column[i] - mean) * (column[i] - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(n - 1));
  // A constant column whose mean is rounded has a deviation of rounding errors; it must not be blown up to 1.
  const bool constant = std::all_of(column, column + n, [&](double v) { return v == column[0]; });
  for (int64_t i = 0; i < n; ++i) {
    column[i] = constant ? 0.0 : column[i] - mean;
    if (!constant && deviation > 0 && std::isfinite(deviation)) column[i] /= deviation;
  }
}

}  // namespace

Shape embedding_shape(int64_t samples, const xc_te_options& o) {
  at_least("k", o.k, 1);
  at_least("targetHistory", o.target_history, 1);
  at_least("targetTau", o.target_tau, 1);
  at_least("sourceHistory", o.source_history, 1);
  at_least("sourceTau", o.source_tau, 1);
  at_least("delay", o.delay, 0);
  at_least("theiler", o.theiler, 0);
  at_least("surrogates", o.surrogates, 0);
  if (!(o.noise >= 0) || !std::isfinite(o.noise)) throw invalid_argument("noise", "noise must be finite and >= 0");
  int64_t s = std::max<int64_t>(static_cast<int64_t>(o.target_history - 1) * o.target_tau,
                                static_cast<int64_t>(o.source_history - 1) * o.source_tau + o.delay - 1);
  s = std::max<int64_t>(s, 0);  // delay 0 and the conditions' delay 1 need no sample before t
  const int64_t n = samples - s - 1;
  const int64_t needed = o.estimator == XC_TE_KSG1 ? static_cast<int64_t>(o.k) + 2 * static_cast<int64_t>(o.theiler) + 1 : 3;
  if (n < needed)
    throw invalid_argument("samples",
                           "%lld samples are too few: the embedding uses the first %lld, k = %d neighbours outside a "
                           "Theiler window of %d need %lld tuples, so at least %lld samples are needed",
                           static_cast<long long>(samples), static_cast<long long>(s + 1), o.k, o.theiler,
                           static_cast<long long>(needed), static_cast<long long>(needed + s + 1));
  if (n > INT32_MAX - 1) throw invalid_argument("samples", "more than 2^31 - 2 tuples are not supported");
  return {n, s + 1};
}

Embedding embed(const xc_te_series& source, const xc_te_series& target, const xc_te_series& conditions,
                int64_t samples, const xc_te_options& o) {
  if (source.variables < 1 || !source.values) throw invalid_argument("source", "source must hold at least one series");
  if (target.variables < 1 || !target.values) throw invalid_argument("target", "target must hold at least one series");
  const Shape shape = embedding_shape(samples, o);
  Embedding e;
  e.source_constant = check_finite(source, samples, "source");
  e.target_constant = check_finite(target, samples, "target");
  check_finite(conditions, samples, "conditions");
  e.n = shape.tuples;
  e.first = shape.first;
  const int64_t t0 = shape.first - 1;
  append_lags(e.future, target, samples, e.n, t0 + 1, 1, 1);
  append_lags(e.past, target, samples, e.n, t0, o.target_history, o.target_tau);
  append_lags(e.past, conditions, samples, e.n, t0, 1, 1);
  append_lags(e.source, source, samples, e.n, t0 + 1 - o.delay, o.source_history, o.source_tau);

  uint64_t column = 0;
  for (Block* block : {&e.future, &e.past, &e.source}) {
    for (int32_t c = 0; c < block->dims; ++c, ++column) {
      double* x = block->values.data() + c * e.n;
      if (o.normalise) normalise(x, e.n);
      if (o.noise > 0) {
        // Streams of surrogates start at 0; those of noise start above them.
        Philox random(o.seed, (uint64_t{1} << 40) + column);
        for (int64_t i = 0; i < e.n; ++i) x[i] += o.noise * random.next_normal();
      }
    }
  }
  return e;
}

}  // namespace xcore::te
