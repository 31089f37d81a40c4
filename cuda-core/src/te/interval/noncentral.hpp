// Confidence limits of a squared effect from a statistic that is noncentral chi-squared around it.
#pragma once

namespace xcore::te {

// P(X <= x) of a noncentral chi-squared variable. Summed as a Poisson mixture; beyond freedom + noncentrality 500 by M. Sankaran's
// approximation (Biometrika 50, 199 (1963)), there good to four digits.
double noncentral_chi_squared(double x, double freedom, double noncentrality);

struct Limits {
  double low, high;
};

// The noncentralities that a test at 1 - level does not reject, given x. The tests leave out the lower tail near 0 and are
// symmetric far from it, so coverage is `level` everywhere, 0 included, and no interval is empty: the idea of G. J. Feldman and
// R. D. Cousins, Phys. Rev. D 57, 3873 (1998).
Limits noncentrality_limits(double x, double freedom, double level);

}  // namespace xcore::te
