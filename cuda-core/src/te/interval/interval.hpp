// Confidence intervals of the transfer entropy itself: their centre is the estimate less its estimated bias.
//
// Nearest neighbours. The bias is neither zero nor known, and locals of neighbouring tuples share counts, so that their error is
// not that of the mean. Neither is assumed:
//   1. The value at no neighbours is extrapolated from algorithm 1 with 2 to 32 of them; see extrapolation.hpp. (The
//      interval is one for both algorithms and all k: what is sought is the same.)
//   2. Random halves tell the error, see resampling.hpp. What the choice of the curve leaves open is added.
// About 120 estimates of the whole in cost.
//
// Gaussian and binned estimates are smooth functionals of the sample. Around a true value T, te / s^2 is noncentral chi-squared
// with noncentrality T / s^2, as many degrees as the estimate has of bias, and s^2 = v / 4 te, where v is the variance of the mean
// of the locals: a HAC one with Bartlett's weights (W. K. Newey, K. D. West, Econometrica 55, 703 (1987)). This holds with
// influence and without; see noncentral.hpp. A Gaussian estimate's bias is dof / 2n.
//
// The bias of bins depends on how the cells are filled, and no count of cells tells it when tuples are few: it is measured.
// Sources moved in time have no influence and all their values are bias; so is what s^2 is without influence, from their
// variance. Influence empties cells: as far as the estimate leaves the values without influence (from one of their deviations on,
// from four in full) their mean is scaled by the ratio of Panzeri and Treves' corrections of the estimate and of theirs. Bins of
// equal frequency end where the sample lets them, which locals know nothing of: v is not below the variance of halves that are
// binned anew.
//
// The box kernel's value depends on its width by definition, and so does what its interval holds: the information between
// boxes, whatever n. The digamma of a count in the place of its logarithm takes the greater part of the bias off. The rest, where
// boxes are nearly empty, is that of sources moved in time, scaled by how much the digammas take off here and there. Halves tell
// the error.
#pragma once

#include <cstdint>

#include "te/estimate/estimator.hpp"

namespace xcore::te {

struct Interval {
  double low, high, standard_error, bias;
};

// `locals`: of the embedding's own estimate te, n values. `unbinned`: of a binned estimate, the embedding of the values that the
// symbols stand for; else it is not looked at. Throws XC_CANCELLED.
Interval confidence_interval(const Embedding& embedding, const Embedding& unbinned, const xc_te_options& options, double te,
                             const double* locals, const Control& control);

// The variance of the mean of dependent values (not below half of what independent ones would have).
double hac_variance(const double* values, int64_t n);

// Quantile of Student's t (0.5 < p < 1), within 0.1 % for 10 degrees of freedom or more.
double student_quantile(double p, double freedom);

}  // namespace xcore::te
