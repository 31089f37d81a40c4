// The binned (histogram) estimator: every variable is cut into `bins` symbols and the information of the symbols is
// computed from their counts ("plug-in"):
//   I = sum p(s,f,p) ln [ c(s,f,p) c(p) / (c(s,p) c(f,p)) ]
//
// Equal width: min(floor((v - min) / ((max - min) / bins)), bins - 1) over all valid samples of a variable; integers
// 0..bins-1 that reach both ends stay what they are. Equal frequency: cut_i = sorted[floor((i + 1) n / bins) - 1], bin =
// the first i with v <= cut_i.
//
// Without influence 2 n I ~ chi-squared with (B^dim S - 1)(B^dim F - 1) B^dim P degrees of freedom, I in nats. The
// plug-in value is too large by about (K_sfp + K_p - K_sp - K_fp) / 2n with K the occupied cells (S. Panzeri, A. Treves,
// Network 7, 87 (1996)), which can be taken off.
#pragma once

#include <cstdint>

#include "te/embedding/embedding.hpp"

namespace xcore::te {

// The symbols of each variable as doubles, laid out like the series they come from. `valid` as in xc_te_options; missing
// samples become 0.
Scratch<double> binned_series(const xc_te_series& series, int64_t samples, const xc_te_options& options);

}  // namespace xcore::te
