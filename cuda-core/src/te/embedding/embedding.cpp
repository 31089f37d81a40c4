#include "te/embedding/embedding.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/error.hpp"
#include "runtime/philox.hpp"

namespace xcore::te {
namespace {

void within(const char* field, int64_t value, int64_t minimum, int64_t maximum = INT32_MAX) {
  if (value < minimum || value > maximum)
    throw invalid_argument(field, "%s is %lld and must be %lld to %lld", field, static_cast<long long>(value),
                           static_cast<long long>(minimum), static_cast<long long>(maximum));
}

bool is_ksg(int32_t estimator) { return estimator == XC_TE_KSG1 || estimator == XC_TE_KSG2; }

// Plain sums in index order: data with exact ties can tell another order apart. Values whose sum or squares would leave the
// range of doubles are first brought into it by a power of two, which changes no digit of the result.
void normalise(double* column, int64_t n) {
  double largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(column[i]));
  if (largest > 0 && (largest > 0x1p+400 || largest < 0x1p-400)) {
    const int exponent = std::ilogb(largest);
    for (int64_t i = 0; i < n; ++i) column[i] = std::ldexp(column[i], -exponent);
  }
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += column[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (column[i] - mean) * (column[i] - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(n - 1));
  // A constant column whose mean is rounded has a deviation of rounding errors; it must not be blown up to 1.
  const bool constant = std::all_of(column, column + n, [&](double v) { return v == column[0]; });
  const bool scaled = !constant && deviation > 0 && std::isfinite(deviation);
  for (int64_t i = 0; i < n; ++i) {
    column[i] = constant ? 0.0 : column[i] - mean;
    if (scaled) column[i] /= deviation;
  }
}

// Runs of consecutive predicted samples.
struct Run {
  int64_t first, count;
};
std::vector<Run> runs(int64_t samples, const Lags& lags, const xc_te_options& o) {
  const int64_t longest = lags.longest();
  std::vector<int64_t> touched{0};
  if (o.valid) {
    const auto touch = [&](const std::vector<int64_t>& more) { touched.insert(touched.end(), more.begin(), more.end()); };
    touch(lags.past);
    touch(lags.source);
    for (const auto& condition : lags.conditions) touch(condition);
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  }
  std::vector<Run> out;
  const auto segment = [&](int64_t begin, int64_t end) {
    if (!o.valid) {
      if (end - begin > longest) out.push_back({begin + longest, end - begin - longest});
      return;
    }
    bool open = false;
    for (int64_t t = begin + longest; t < end; ++t) {
      const bool there = std::all_of(touched.begin(), touched.end(), [&](int64_t lag) { return o.valid[t - lag] != 0; });
      if (there && open) ++out.back().count;
      else if (there) out.push_back({t, 1});
      open = there;
    }
  };
  if (!o.segments) {
    segment(0, samples);
  } else {
    int64_t begin = 0;
    for (int64_t s = 0; s < o.segment_count; ++s) {
      segment(begin, begin + o.segments[s]);
      begin += o.segments[s];
    }
  }
  return out;
}

int64_t needed_tuples(const xc_te_options& o) {
  return is_ksg(o.estimator) ? static_cast<int64_t>(o.k) + 2 * static_cast<int64_t>(o.theiler) + 1 : 3;
}

[[noreturn]] void too_few(int64_t samples, int64_t tuples, int64_t longest, const xc_te_options& o) {
  const int64_t needed = needed_tuples(o);
  if ((o.valid || o.segments) && !is_ksg(o.estimator))
    throw invalid_argument("samples", "the embedding leaves %lld tuples of %lld samples; an estimate needs %lld",
                           static_cast<long long>(tuples), static_cast<long long>(samples), static_cast<long long>(needed));
  if (o.valid || o.segments)
    throw invalid_argument("samples",
                           "the embedding leaves %lld tuples of %lld samples; k = %d neighbours outside a Theiler window "
                           "of %d need at least %lld",
                           static_cast<long long>(tuples), static_cast<long long>(samples), o.k, o.theiler,
                           static_cast<long long>(needed));
  if (!is_ksg(o.estimator))
    throw invalid_argument("samples",
                           "%lld samples are too few: the embedding uses the first %lld and an estimate needs %lld tuples, so at "
                           "least %lld samples are needed",
                           static_cast<long long>(samples), static_cast<long long>(longest), static_cast<long long>(needed),
                           static_cast<long long>(needed + longest));
  throw invalid_argument("samples",
                         "%lld samples are too few: the embedding uses the first %lld, k = %d neighbours outside a "
                         "Theiler window of %d need %lld tuples, so at least %lld samples are needed",
                         static_cast<long long>(samples), static_cast<long long>(longest), o.k, o.theiler,
                         static_cast<long long>(needed), static_cast<long long>(needed + longest));
}

void append(Block& block, const double* series, const std::vector<int64_t>& lags, const std::vector<Run>& parts) {
  for (const int64_t lag : lags) {
    for (const Run& run : parts) block.values.insert(block.values.end(), series + run.first - lag, series + run.first - lag + run.count);
    ++block.dims;
  }
}

// Streams of surrogates start at 0; those of noise start above them.
constexpr uint64_t kNoiseStream = uint64_t{1} << 40;

void prepare(Block& block, int64_t n, uint64_t first_column, const xc_te_options& o, Scaling scaling) {
  for (int32_t c = 0; c < block.dims; ++c) {
    double* x = block.values.data() + c * n;
    if (o.normalise && scaling == Scaling::normalised) normalise(x, n);
    if (o.noise > 0 && o.estimator != XC_TE_BINNED) {
      Philox random(o.seed, kNoiseStream + first_column + static_cast<uint64_t>(c));
      for (int64_t i = 0; i < n; ++i) {
        x[i] += o.noise * random.next_normal();
        if (!std::isfinite(x[i])) throw invalid_argument("noise", "noise of %g leaves the range of numbers", o.noise);
      }
    }
  }
}

bool constant(const xc_te_series& series, int64_t samples, const uint8_t* valid) {
  for (int32_t v = 0; v < series.variables; ++v) {
    const double* x = series.values + v * samples;
    const double* seen = nullptr;
    for (int64_t i = 0; i < samples; ++i) {
      if (valid && !valid[i]) continue;
      if (seen && x[i] != *seen) return false;
      seen = x + i;
    }
  }
  return true;
}

}  // namespace

int64_t Lags::longest() const {
  int64_t longest = future;
  for (const int64_t lag : past) longest = std::max(longest, lag);
  for (const int64_t lag : source) longest = std::max(longest, lag);
  for (const auto& condition : conditions)
    for (const int64_t lag : condition) longest = std::max(longest, lag);
  return longest;
}

Lags given_lags(const xc_te_options& o, int32_t condition_variables) {
  Lags lags;
  if (o.condition_count != 0 && o.condition_count != condition_variables)
    throw invalid_argument("conditions", "%d embeddings are given for %d conditions", o.condition_count, condition_variables);
  if (o.measure == XC_TE_MUTUAL) {
    lags.source = {0};
    lags.conditions.assign(condition_variables, {0});
    return lags;
  }
  for (int32_t h = 0; h < o.target_history; ++h) lags.past.push_back(1 + static_cast<int64_t>(h) * o.target_tau);
  for (int32_t h = 0; h < o.source_history; ++h) lags.source.push_back(o.delay + static_cast<int64_t>(h) * o.source_tau);
  for (int32_t c = 0; c < condition_variables; ++c) {
    const bool own = o.condition_count != 0;
    const int32_t history = own && o.condition_history ? o.condition_history[c] : 1;
    const int32_t tau = own && o.condition_tau ? o.condition_tau[c] : 1, delay = own && o.condition_delay ? o.condition_delay[c] : 1;
    within("conditionHistory", history, 1, 1000000);
    within("conditionTau", tau, 1);
    within("conditionDelay", delay, 0);
    lags.conditions.emplace_back();
    for (int32_t h = 0; h < history; ++h) lags.conditions.back().push_back(delay + static_cast<int64_t>(h) * tau);
  }
  return lags;
}

void check_embedding(const xc_te_options& o) {
  within("k", o.k, 1);
  within("targetHistory", o.target_history, 1);
  within("targetTau", o.target_tau, 1);
  within("sourceHistory", o.source_history, 1);
  within("sourceTau", o.source_tau, 1);
  within("delay", o.delay, 0);
  within("theiler", o.theiler, 0);
  within("surrogates", o.surrogates, 0);
  if (!(o.noise >= 0) || !std::isfinite(o.noise)) throw invalid_argument("noise", "noise must be finite and >= 0");
}

void check_options(const xc_te_options& o) {
  check_embedding(o);
  if (o.estimator < XC_TE_KSG1 || o.estimator > XC_TE_BINNED)
    throw error(XC_UNSUPPORTED, "estimator", -1,
                "estimator %d is not known; 1 is KSG algorithm 1, 2 Gaussian, 3 KSG algorithm 2, 4 box kernel, 5 binned", o.estimator);
  within("measure", o.measure, XC_TE_TRANSFER, XC_TE_MUTUAL);
  if (!(o.kernel_width > 0) || !std::isfinite(o.kernel_width))
    throw invalid_argument("kernelWidth", "kernelWidth must be finite and > 0");
  within("bins", o.bins, 2, 1024);
  within("binning", o.binning, XC_TE_EQUAL_WIDTH, XC_TE_EQUAL_FREQUENCY);
  within("surrogateMethod", o.surrogate_method, XC_TE_PERMUTATION, XC_TE_IAAFT);
  within("block", o.block, 0);
  within("stopAfter", o.stop_after, 0);
  within("embedding", o.embedding, XC_TE_GIVEN, XC_TE_GREEDY);
  within("maxHistory", o.max_history, 1, XC_TE_MAX_LAGS);
  within("maxTau", o.max_tau, 1);
  within("maxDelay", o.max_delay, 0);
  if (!(o.interval >= 0 && o.interval < 1)) throw invalid_argument("interval", "interval must be a level in (0, 1), or 0");
}

Shape embedding_shape(int64_t samples, const xc_te_options& o) {
  check_embedding(o);
  int64_t longest = 0;
  if (o.measure == XC_TE_TRANSFER)
    longest = std::max<int64_t>(1 + static_cast<int64_t>(o.target_history - 1) * o.target_tau,
                                static_cast<int64_t>(o.source_history - 1) * o.source_tau + o.delay);
  const int64_t n = samples - longest;
  if (n < needed_tuples(o)) too_few(samples, n, longest, o);
  if (n > INT32_MAX - 1) throw invalid_argument("samples", "more than 2^31 - 2 tuples are not supported");
  return {n, longest};
}

void check_series(const Series& series, const xc_te_options& o) {
  if (series.source.variables < 1 || !series.source.values) throw invalid_argument("source", "source must hold at least one series");
  if (series.target.variables < 1 || !series.target.values) throw invalid_argument("target", "target must hold at least one series");
  if (o.segments) {
    int64_t total = 0;
    for (int64_t s = 0; s < o.segment_count; ++s) {
      if (o.segments[s] < 0 || o.segments[s] > series.samples) throw invalid_argument("segments", "segment %lld has a length of %lld", static_cast<long long>(s), static_cast<long long>(o.segments[s]));
      total += o.segments[s];
      if (total > series.samples) break;
    }
    if (total != series.samples)
      throw invalid_argument("segments", "the segments hold %lld samples, the series %lld", static_cast<long long>(total),
                             static_cast<long long>(series.samples));
  }
  const auto check = [&](const xc_te_series& block, const char* field) {
    for (int32_t v = 0; v < block.variables; ++v) {
      const double* x = block.values + v * series.samples;
      for (int64_t i = 0; i < series.samples; ++i) {
        if (!std::isfinite(x[i]) && !(o.valid && !o.valid[i]))
          throw invalid_argument(field, "%s holds %s at index %lld of variable %d; every value must be finite", field,
                                 std::isnan(x[i]) ? "NaN" : "an infinity", static_cast<long long>(i), v);
      }
    }
  };
  check(series.source, "source");
  check(series.target, "target");
  check(series.conditions, "conditions");
}

Embedding embed(const Series& series, const Lags& lags, const xc_te_options& o, Scaling scaling) {
  const int64_t longest = lags.longest(), samples = series.samples;
  const std::vector<Run> parts = runs(samples, lags, o);
  Embedding e;
  for (const Run& run : parts) e.n += run.count;
  if (e.n < needed_tuples(o)) too_few(samples, e.n, longest, o);
  if (e.n > INT32_MAX - 1) throw invalid_argument("samples", "more than 2^31 - 2 tuples are not supported");
  e.first = parts.front().first;
  e.source_constant = constant(series.source, samples, o.valid);
  e.target_constant = constant(series.target, samples, o.valid);
  const auto columns_of = [&](Block& block, const xc_te_series& from, const std::vector<int64_t>& of) {
    for (int32_t v = 0; v < from.variables; ++v) append(block, from.values + v * samples, of, parts);
  };
  const auto reserve = [&](Block& block, size_t dims) { block.values.reserve(dims * static_cast<size_t>(e.n)); };
  reserve(e.future, series.target.variables);
  columns_of(e.future, series.target, {0});
  reserve(e.past, series.target.variables * lags.past.size());
  columns_of(e.past, series.target, lags.past);
  for (int32_t c = 0; c < series.conditions.variables; ++c)
    append(e.past, series.conditions.values + c * samples, lags.conditions[c], parts);
  reserve(e.source, series.source.variables * lags.source.size());
  columns_of(e.source, series.source, lags.source);
  prepare(e.future, e.n, 0, o, scaling);
  prepare(e.past, e.n, e.future.dims, o, scaling);
  prepare(e.source, e.n, e.future.dims + e.past.dims, o, scaling);

  if (parts.size() > 1) {
    // Time is counted inside a segment; between segments lies more than any Theiler window.
    e.time.reserve(e.n);
    int64_t segment = 0, end = o.segments ? o.segments[0] : samples, offset = 0;
    for (const Run& run : parts) {
      while (run.first >= end && o.segments) {
        end += o.segments[++segment];
        offset += static_cast<int64_t>(o.theiler) + 1;
      }
      if (offset + run.first + run.count > INT32_MAX) throw error(XC_LIMIT_EXCEEDED, "segments", -1, "segments and Theiler window are too long together");
      for (int64_t i = 0; i < run.count; ++i) e.time.push_back(static_cast<int32_t>(offset + run.first + i));
    }
  }
  return e;
}

Embedding embed(const xc_te_series& source, const xc_te_series& target, const xc_te_series& conditions, int64_t samples,
                const xc_te_options& o) {
  const Series series{source, target, conditions, samples};
  check_series(series, o);
  return embed(series, given_lags(o, conditions.variables), o, Scaling::normalised);
}

Block embed_source(const Series& series, const Lags& lags, const xc_te_options& o, Scaling scaling) {
  const std::vector<Run> parts = runs(series.samples, lags, o);
  int64_t n = 0, conditions = 0;
  for (const Run& run : parts) n += run.count;
  for (const auto& c : lags.conditions) conditions += static_cast<int64_t>(c.size());
  Block block;
  for (int32_t v = 0; v < series.source.variables; ++v) append(block, series.source.values + v * series.samples, lags.source, parts);
  prepare(block, n, static_cast<uint64_t>(series.target.variables * (1 + static_cast<int64_t>(lags.past.size())) + conditions), o, scaling);
  return block;
}

}  // namespace xcore::te
