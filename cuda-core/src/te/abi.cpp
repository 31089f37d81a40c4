// The table of the domain "te".
#include <algorithm>
#include <cstring>

#include "runtime/error.hpp"
#include "te/estimate/estimate.hpp"
#include "te/network/abi.hpp"
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
    *result = e.result;
  });
}

xc_status tuples(int64_t samples, const xc_te_options* options, int64_t* tuples, int64_t* first, xc_error* error) {
  return guard(error, [&] {
    const auto shape = te::embedding_shape(samples, complete(options));
    *tuples = shape.tuples;
    *first = shape.first;
  });
}

const xc_te_table table = {{"te", XC_TE_ABI, sizeof(xc_te_table)}, estimate, tuples, te::network_entry, te::network_greedy_entry};

}  // namespace

extern "C" const void* xc_te_table_v1(void) { return &table; }
