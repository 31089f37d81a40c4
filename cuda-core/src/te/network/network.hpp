// A whole network in one call: checks, the choice of backend, delays, surrogates and p-values.
//
// With several delays a pair's value is that of its best delay (the smallest of equal ones), each estimated exactly as alone.
// Surrogate s of a pair is the maximum over the delays too, so that the test accounts for the choice. Surrogate permutations
// are those of `transferEntropy` with the same seed, the same for every pair.
//
// p = (1 + reached) / (1 + surrogates). With stop_after = h a pair's drawing ends at the h-th surrogate that reaches its value,
// the l-th drawn, and p = h / l (J. Besag, P. Clifford, "Sequential Monte Carlo p-values", Biometrika 78, 301, 1991): pairs
// without influence cost few draws. A pooled null compares with the surrogates of all tested pairs of the same target.
#pragma once

#include "runtime/control.hpp"
#include "xcore/te_network.h"

namespace xcore::te {

void network(const double* values, int32_t variables, int64_t samples, const xc_te_network_options& options, double* te,
             double* p_values, int32_t* lags, xc_te_network_result& result, const Control& control);

// Throws invalid_argument unless there are at least two variables and every value is finite.
void check_network_values(const double* values, int32_t variables, int64_t samples);

}  // namespace xcore::te
