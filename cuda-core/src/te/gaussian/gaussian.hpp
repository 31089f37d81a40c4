// Transfer entropy of jointly Gaussian variables: TE = 1/2 ln( det C(F|P) / det C(F|P,S) ), nats, where C(A|B) is the
// covariance of A left after linear regression on B. Equal to half the Granger log-likelihood ratio: L. Barnett,
// A. B. Barrett, A. K. Seth, Phys. Rev. Lett. 103, 238701 (2009). Under no influence 2 n TE ~ chi-squared with
// dim S x dim F degrees of freedom, so its mean is that number over 2n: the bias that can be taken off.
//
// Columns that are linear functions of those before them (P, then S, then F) are left out; a target explained exactly by
// P and S together, but not by P alone, gives +infinity.
#pragma once

#include <cstdint>
#include <vector>

#include "te/embedding/embedding.hpp"

namespace xcore::te {

// `permutation` as in KSG.
double gaussian_te(const Embedding& embedding, const int32_t* permutation);

// The same from the correlations of the columns (P, S, F: total x total, 1 on the diagonal, 0 for a constant column).
double gaussian_te_of(const std::vector<double>& correlations, int past, int source, int future);

// P(chi-squared with `freedom` degrees >= x).
double chi_squared_tail(double x, double freedom);

}  // namespace xcore::te
