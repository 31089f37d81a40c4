// The table of the domain "te".
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "runtime/error.hpp"
#include "te/estimate/estimate.hpp"
#include "te/network/abi.hpp"
#include "te/stream/stream.hpp"
#include "xcore/te.h"

namespace {

using namespace xcore;

// Defaults, overlaid with as much as the caller's struct holds.
xc_te_options complete(const xc_te_options* given) {
  xc_te_options o;
  std::memset(&o, 0, sizeof o);
  o.estimator = XC_TE_KSG1;
  o.k = 4;
  o.target_history = o.target_tau = o.source_history = o.source_tau = o.delay = o.normalise = 1;
  o.kernel_width = 0.5;
  o.bins = 8;
  o.max_history = 5;
  o.max_tau = 1;
  if (given) {
    if (given->size < sizeof(uint32_t)) throw invalid_argument("options", "options.size is %u", given->size);
    std::memcpy(&o, given, std::min<size_t>(given->size, sizeof o));
  }
  o.size = sizeof o;
  return o;
}

void check(const xc_te_series* series, const char* field, int32_t least) {
  if (!series || series->variables < least || (series->variables > 0 && !series->values))
    throw invalid_argument(field, "%s must hold at least %d series", field, least);
}

// As much of the result as the caller's struct holds; callers from before `size` was read leave it 0.
void give(xc_te_result from, xc_te_result* to) {
  const size_t size = to->size ? to->size : offsetof(xc_te_result, interval_low);
  std::memcpy(to, &from, std::min(size, sizeof from));
}

xc_status estimate(const xc_te_series* source, const xc_te_series* target, const xc_te_series* conditions,
                   int64_t samples, const xc_te_options* options, double* locals, double* surrogate_values,
                   xc_te_result* result, const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    check(source, "source", 1);
    check(target, "target", 1);
    const xc_te_series none{nullptr, 0, 0};
    if (!conditions) conditions = &none;
    check(conditions, "conditions", 0);
    if (!result) throw invalid_argument("result", "result must not be NULL");
    const auto e = te::estimate(*source, *target, *conditions, samples, complete(options), locals != nullptr, Control(control));
    if (locals) std::copy(e.locals.begin(), e.locals.end(), locals);
    if (surrogate_values) std::copy(e.surrogates.begin(), e.surrogates.end(), surrogate_values);
    give(e.result, result);
  });
}

xc_status tuples(int64_t samples, const xc_te_options* options, int64_t* tuples, int64_t* first, xc_error* error) {
  return guard(error, [&] {
    const auto shape = te::embedding_shape(samples, complete(options));
    *tuples = shape.tuples;
    *first = shape.first;
  });
}

te::Stream& stream_of(xc_te_stream* stream) {
  if (!stream) throw invalid_argument("stream", "stream must not be NULL");
  return *reinterpret_cast<te::Stream*>(stream);
}

xc_status stream_open(int32_t source_variables, int32_t target_variables, int64_t window, int64_t scale_every,
                      const xc_te_options* options, xc_te_stream** out, xc_error* error) {
  return guard(error, [&] {
    if (!out) throw invalid_argument("out", "out must not be NULL");
    *out = reinterpret_cast<xc_te_stream*>(
        te::open_stream(source_variables, target_variables, window, scale_every, complete(options)).release());
  });
}

xc_status stream_push(xc_te_stream* stream, const double* source, const double* target, int64_t samples, xc_error* error) {
  return guard(error, [&] { stream_of(stream).push(source, target, samples); });
}

xc_status stream_value(xc_te_stream* stream, xc_te_result* result, xc_error* error) {
  return guard(error, [&] {
    if (!result) throw invalid_argument("result", "result must not be NULL");
    give(stream_of(stream).value(), result);
  });
}

void stream_release(xc_te_stream* stream) { delete reinterpret_cast<te::Stream*>(stream); }

const xc_te_table table = {{"te", XC_TE_ABI, sizeof(xc_te_table)},
                           estimate,
                           tuples,
                           te::network_entry,
                           te::network_greedy_entry,
                           stream_open,
                           stream_push,
                           stream_value,
                           stream_release};

}  // namespace

extern "C" const void* xc_te_table_v1(void) { return &table; }
