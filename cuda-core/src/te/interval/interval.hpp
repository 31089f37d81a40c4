// Confidence intervals of the transfer entropy itself: their centre is the estimate less its estimated bias.
//
// Nearest neighbours. The bias is neither zero nor known, and locals of neighbouring tuples share counts, so that their error is
// not that of the mean. Neither is assumed:
//   1. The value at no neighbours is extrapolated from algorithm 1 with 2 to 32 of them; see extrapolation.hpp. (The
//      interval is one for both algorithms and all k: what is sought is the same.)
//   2. The tuples are cut in 32 blocks of time, which are dealt at random to two halves, 12 times. The half differences of the
//      halves' values have the variance of the whole's (P. J. McCarthy, "Pseudo-replication: half samples", Rev. Int.
//      Stat. Inst. 37, 239 (1969); in blocks for dependence in time). What the choice of the curve leaves open is added.
// Plain bootstrap would not do: repeated tuples have distance 0. About 120 estimates of the whole in cost.
//
// Gaussian and binned estimates are smooth functionals of the sample. Around a true value T, te / s^2 is noncentral chi-squared
// with noncentrality T / s^2, as many degrees as the estimate has of bias, and s^2 = v / 4 te, where v is the variance of the mean
// of the locals: a HAC one with Bartlett's weights (W. K. Newey, K. D. West, Econometrica 55, 703 (1987)). This holds with
// influence and without; see noncentral.hpp. Bias: dof / 2n; of bins what halves of the tuples have more, since it falls with 1/n.
//
// The box kernel's value depends on its width by definition, and so does what its interval holds: the information between
// boxes. The digamma of a count in the place of its logarithm takes most of the bias off, halves tell the rest, and the error.
#pragma once

#include <cstdint>

#include "te/estimate/estimator.hpp"

namespace xcore::te {

struct Interval {
  double low, high, standard_error, bias;
};

// `locals`: of the embedding's own estimate te, n values. Throws XC_CANCELLED.
Interval confidence_interval(const Embedding& embedding, const xc_te_options& options, double te, const double* locals,
                             const Control& control);

// The variance of the mean of dependent values (not below half of what independent ones would have).
double hac_variance(const double* values, int64_t n);

// Quantile of Student's t (0.5 < p < 1), within 0.1 % for 10 degrees of freedom or more.
double student_quantile(double p, double freedom);

}  // namespace xcore::te
