// From values at several numbers of neighbours to the value at none.
//
// A nearest-neighbour estimate with k of n tuples looks at a neighbourhood of about k/n of them: T_k = tau + b(k/n) + noise,
// where b vanishes with its argument. Larger k are more biased and less noisy, so the curve T_k says how the bias grows.
// How it grows depends on the density: like k^(1/3) along edges and jumps, up to k and beyond where it is smooth, bending
// over once neighbourhoods are as large as what there is to see. Curves of several such shapes,
//   b_m(k) = r_m - A g_m(k),  g(k) = (k/8)^a [(1 + 8/c) / (1 + k/c)]^(a/2),
// are fitted by generalised least squares and averaged with their marginal likelihoods (J. A. Hoeting et al., Statistical
// Science 14, 382 (1999)). A has a normal prior, whose mean and deviation grow with the influence itself: without influence there
// is no bias, and with it large neighbourhoods see less of it. r is what smooth densities have at
// the few neighbours that can be had: the bias falls from some 0.02 nats at k/n = 1e-3, not from 0, and goes to 0 only slowly as
// k/n does (values of 20,000 and 80,000 samples in bench/results/te-estimators.md show it).
//
// The noise of T_k that k does not share with larger k has, to 10 or 20 %, one covariance for all densities, V(max(k, k')) with
// V(k) proportional to k^-1.3; its size is measured on the data.
#pragma once

#include <cstdint>
#include <vector>

namespace xcore::te {

struct Extrapolation {
  double value;                // tau
  std::vector<double> weights;  // of the values, sum 1: how tau moves with them while all probabilities and priors stay
  double model_variance;       // of tau, by what is not known of shape and amplitude
};

// `noise`: V(4), the variance of a value at 4 neighbours beyond what all values share. At least one value.
Extrapolation extrapolate(const std::vector<int32_t>& neighbours, const std::vector<double>& values, int64_t tuples,
                          double noise);

// V(k) / V(4).
double neighbour_noise(int32_t k);

}  // namespace xcore::te
