#include "te/network/abi.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/error.hpp"
#include "te/network/greedy/greedy.hpp"
#include "te/network/network.hpp"

namespace xcore::te {
namespace {

// Defaults, overlaid with as much as the caller's struct holds.
template <class Options>
Options overlay(Options defaults, const Options* given) {
  if (given) {
    if (given->size < sizeof(uint32_t)) throw invalid_argument("options", "options.size is %u", given->size);
    std::memcpy(static_cast<void*>(&defaults), given, std::min<size_t>(given->size, sizeof defaults));
  }
  defaults.size = sizeof defaults;
  return defaults;
}

}  // namespace

xc_status network_entry(const double* values, int32_t variables, int64_t samples, const xc_te_network_options* options, double* te,
                        double* p_values, int32_t* lags, xc_te_network_result* result, const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    xc_te_network_options o{};
    o.estimator = XC_TE_NETWORK_KSG1;
    o.k = 4;
    o.target_history = o.target_tau = o.source_history = o.source_tau = o.min_delay = o.max_delay = o.normalise = 1;
    o.bins = 8;
    o.precision = XC_TE_PRECISION_AUTO;
    if (!values || !te || !result) throw invalid_argument("values", "values, te and result must not be NULL");
    xc_te_network_result r{};
    network(values, variables, samples, overlay(o, options), te, p_values, lags, r, Control(control));
    *result = r;
  });
}

xc_status network_greedy_entry(const double* values, int32_t variables, int64_t samples, const xc_te_greedy_options* options,
                               void (*emit)(void* user, const xc_te_greedy_link* link), void* user, double* omnibus_te, double* omnibus_p,
                               const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    xc_te_greedy_options o{};
    o.estimator = XC_TE_NETWORK_GAUSSIAN;
    o.k = 4;
    o.max_lag = o.max_history = 5;
    o.min_lag = 1;
    o.max_sources = 20;
    o.alpha = 0.05;
    if (!values || !emit || !omnibus_te || !omnibus_p) throw invalid_argument("values", "values, emit and the omnibus arrays must not be NULL");
    const auto links = greedy_network(values, variables, samples, overlay(o, options), omnibus_te, omnibus_p, Control(control));
    for (const auto& link : links) emit(user, &link);
  });
}

}  // namespace xcore::te
