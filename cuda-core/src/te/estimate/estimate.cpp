#include "te/estimate/estimate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/device.hpp"
#include "te/auto-embedding/auto_embedding.hpp"
#include "te/binned/binned.hpp"
#include "te/estimate/estimator.hpp"
#include "te/interval/interval.hpp"
#include "te/surrogates/permutation.hpp"
#include "te/surrogates/surrogates.hpp"

namespace xcore::te {
namespace {

constexpr const char* kOp = "te.estimate";
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What an option cannot mean for an estimator is an error, not silence.
void check_combination(const xc_te_options& o) {
  const bool ksg = o.estimator == XC_TE_KSG1 || o.estimator == XC_TE_KSG2;
  if (o.single_precision && !ksg)
    throw error(XC_UNSUPPORTED, "precision", -1, "fp32 exists for the KSG estimators only");
  if (o.auto_k && !ksg) throw error(XC_UNSUPPORTED, "k", -1, "an automatic k exists for the KSG estimators only");
  if (o.bias_correction && o.estimator == XC_TE_KERNEL)
    throw error(XC_UNSUPPORTED, "biasCorrection", -1, "the box kernel's bias is not known in closed form");
}

void report(const ChosenEmbedding& chosen, xc_te_result& r) {
  const xc_te_options& o = chosen.options;
  r.k = o.k;
  if (chosen.by_lags) {
    const auto copy = [](const std::vector<int64_t>& from, int32_t* to, int32_t& count) {
      count = static_cast<int32_t>(std::min<size_t>(from.size(), XC_TE_MAX_LAGS));
      for (int32_t i = 0; i < count; ++i) to[i] = static_cast<int32_t>(from[i]);
    };
    copy(chosen.lags.past, r.target_lags, r.target_lag_count);
    copy(chosen.lags.source, r.source_lags, r.source_lag_count);
    r.delay = o.delay;
    return;
  }
  r.target_history = o.target_history, r.target_tau = o.target_tau;
  r.source_history = o.source_history, r.source_tau = o.source_tau, r.delay = o.delay;
}

void run(const Embedding& embedding, const Series& raw, const ChosenEmbedding& chosen, bool want_locals, xc_device device,
         Estimate& e, const Control& control) {
  const xc_te_options& o = chosen.options;
  const trace::OpTimer timer(kOp, device);
  const auto estimator = make_estimator(embedding, o, device);
  if (want_locals || o.interval > 0) e.locals.resize(embedding.n);
  e.result.te = estimator->value(e.locals.empty() ? nullptr : e.locals.data(), control);
  e.result.analytic_p = estimator->analytic_p(e.result.te);
  surrogate_values(*estimator, raw, chosen.lags, embedding.n, o, e.result.te, e.surrogates, control);
  if (o.interval > 0 && std::isfinite(e.result.te)) {
    const Embedding unbinned = o.estimator == XC_TE_BINNED ? embed(raw, chosen.lags, o, Scaling::raw) : Embedding();
    const Interval i = confidence_interval(embedding, unbinned, o, e.result.te, e.locals.data(), control);
    e.result.interval_low = i.low, e.result.interval_high = i.high;
    e.result.standard_error = i.standard_error, e.result.bias = i.bias;
  }
  if (!want_locals) e.locals.clear();
  e.result.device = device;
}

}  // namespace

Estimate estimate(const xc_te_series& source, const xc_te_series& target, const xc_te_series& conditions,
                  int64_t samples, const xc_te_options& given, bool want_locals, const Control& control) {
  check_options(given);
  check_combination(given);
  Series raw{source, target, conditions, samples};
  if (given.embedding == XC_TE_GIVEN && !given.valid && !given.segments && given.max_delay <= given.delay) embedding_shape(samples, given);
  check_series(raw, given);
  if (source.variables > 10000 || target.variables > 10000 || conditions.variables > 10000)
    throw error(XC_LIMIT_EXCEEDED, "source", -1, "more than 10,000 variables a block are not supported");

  Series series = raw;
  Scratch<double> symbols[3];
  if (given.estimator == XC_TE_BINNED) {
    xc_te_series* blocks[3] = {&series.source, &series.target, &series.conditions};
    for (int b = 0; b < 3; ++b) {
      symbols[b] = binned_series(*blocks[b], samples, given);
      blocks[b]->values = symbols[b].data();
    }
  }
  const ChosenEmbedding chosen = choose_embedding(series, given, control);
  const xc_te_options& o = chosen.options;
  const Embedding embedding = embed(series, chosen.lags, o, scaling_of(o));
  const int32_t columns = embedding.future.dims + embedding.past.dims + embedding.source.dims;
  if (columns > 4096) throw error(XC_LIMIT_EXCEEDED, "targetHistory", -1, "more than 4096 embedded columns are not supported");
  if (o.estimator == XC_TE_GAUSSIAN && embedding.n <= columns)
    throw invalid_argument("samples", "%lld tuples of %d embedded columns lie in a plane whatever they are; %d are needed",
                           static_cast<long long>(embedding.n), columns, columns + 1);

  Estimate e;
  e.result = {};
  e.result.size = sizeof(xc_te_result);
  e.result.tuples = embedding.n, e.result.first = embedding.first;
  e.result.surrogate_mean = e.result.surrogate_std = e.result.p_value = e.result.analytic_p = kNaN;
  e.result.interval_low = e.result.interval_high = e.result.standard_error = e.result.bias = kNaN;
  e.result.device = kCpu;
  report(chosen, e.result);
  if (embedding.source_constant || embedding.target_constant) {
    resolve_device(o.device, false, kOp);  // a device that does not exist is an error here too
    e.surrogates.assign(o.surrogates, 0.0);
    if (want_locals) e.locals.assign(embedding.n, 0.0);
    if (o.estimator == XC_TE_GAUSSIAN || o.estimator == XC_TE_BINNED) e.result.analytic_p = 1;
    if (o.interval > 0) e.result.interval_low = e.result.interval_high = e.result.standard_error = e.result.bias = 0;
  } else {
    run_on(
        o.device, pays_on_cuda(embedding, o, 1.0 + o.surrogates), kOp,
        [&](int device) { run(embedding, raw, chosen, want_locals, cuda_device(device), e, control); },
        [&] { run(embedding, raw, chosen, want_locals, kCpu, e, control); });
  }
  const Significance s = significance(e.result.te, e.surrogates);
  e.result.surrogate_mean = s.mean;
  e.result.surrogate_std = s.std;
  e.result.surrogates_done = static_cast<int32_t>(e.surrogates.size());
  e.result.p_value = e.surrogates.empty() ? kNaN : sequential_p(e.result.te, e.surrogates, o);
  return e;
}

}  // namespace xcore::te
