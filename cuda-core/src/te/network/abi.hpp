// The network's entries of the domain's table.
#pragma once

#include "xcore/te_network.h"

namespace xcore::te {

xc_status network_entry(const double* values, int32_t variables, int64_t samples, const xc_te_network_options* options, double* te,
                        double* p_values, int32_t* lags, xc_te_network_result* result, const xc_control* control, xc_error* error);
xc_status network_greedy_entry(const double* values, int32_t variables, int64_t samples, const xc_te_greedy_options* options,
                               void (*emit)(void* user, const xc_te_greedy_link* link), void* user, double* omnibus_te, double* omnibus_p,
                               const xc_control* control, xc_error* error);

}  // namespace xcore::te
