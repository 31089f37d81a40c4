// Confidence intervals.
//
// Gaussian and binned estimates are smooth functionals of the sample, so the mean of their locals has the estimate's own
// standard error: a HAC one with Bartlett's weights for dependent samples (W. K. Newey, K. D. West, Econometrica 55, 703
// (1987)), plus the variance dof / 2n^2 that the chi-squared law leaves when there is no influence at all. Their bias is
// dof / 2n, or Panzeri and Treves' for the binned one.
//
// Nearest neighbours are not smooth: locals of neighbouring tuples share counts, so their HAC error is 20 to 60 % too
// small, and the bias is neither zero nor known. Both are met in two steps.
//   1. What finer neighbourhoods would still find: bias falls like a power of the number of tuples, so the difference D
//      between the estimate and the mean of random halves says how much is left. The centre is U = estimate + D / (2^a - 1)
//      with a = 1/2 (smooth densities have a = 2/3 in three columns, edges 1/3).
//   2. A control: Gaussian tuples of the same covariance, whose true value is known in closed form, drawn and estimated
//      as the data were, U included. The mean error of U there is taken off; the ratio of the spread of U to the locals'
//      error inflates the data's HAC error.
// Extrapolation in the number of samples as in C. M. Holmes, I. Nemenman, Phys. Rev. E 100, 022404 (2019), calibrated
// instead of fitted. Plain bootstrap would not do: repeated tuples have distance 0.
//
// The box kernel's value depends on its width by definition; its interval holds the sampling error alone.
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
