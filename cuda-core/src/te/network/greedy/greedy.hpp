// Greedy multivariate inference: for every target the set of past values, its own and others', that tells about its future
// what the rest of the set does not. Indirect links and common drivers drop out, which no look at pairs can do.
//
// J. T. Lizier, M. Rubinov, "Multivariate construction of effective computational networks from observational data" (2012);
// L. Novelli et al., "Large-scale directed network inference with multivariate transfer entropy and hierarchical statistical
// testing", Network Neuroscience 3, 827 (2019). For each target, with Z what was chosen so far, starting from its last value:
//
//   1. own past:  the lag with the largest I(F; c | Z) joins Z while it passes the maximum statistic;
//   2. sources:   likewise all lags of all other variables;
//   3. pruning:   the chosen source with the smallest I(F; c | Z without c) leaves while it fails the minimum statistic;
//   4. omnibus:   all chosen sources together, given the own past.
//
// Maximum statistic: the value must exceed, at level alpha, the maximum over all candidates of values with permuted rows, so
// that many candidates do not make false links. Without surrogates (Gaussian alone) 2 n I ~ chi-squared with one degree of
// freedom, and the maximum of m candidates is corrected as that of m independent ones.
//
// The omnibus test comes after the choice and cannot correct for it. A link's own p-value can: it is that of the maximum statistic
// which let it in (not below those before it), or that of the last test that kept it, whichever is larger.
#pragma once

#include <vector>

#include "runtime/control.hpp"
#include "xcore/te_network.h"

namespace xcore::te {

// Links in order of target, then of choice. omnibus_te and omnibus_p: as in the header.
std::vector<xc_te_greedy_link> greedy_network(const double* values, int32_t variables, int64_t samples, const xc_te_greedy_options& options,
                                              double* omnibus_te, double* omnibus_p, const Control& control);

}  // namespace xcore::te
