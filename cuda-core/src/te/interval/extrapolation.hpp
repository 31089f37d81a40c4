// From values at several numbers of neighbours to the value at none.
//
// A nearest-neighbour estimate with k of n tuples looks at a neighbourhood of about k/n of them: T_k = tau + b(k/n) + noise,
// where b vanishes with its argument. Larger k are more biased and less noisy, so the curve T_k says how the bias grows.
// How it grows depends on the density: like k^(1/3) along edges and jumps, up to k and beyond where it is smooth, bending
// over once neighbourhoods are as large as what there is to see. Curves of several such shapes,
//   b_m(k) = A g_m(k) + B h(k),  g(k) = (k/8)^a [(1 + 8/c) / (1 + k/c)]^(a/2),  h(k) = (k/8)^(2/3) (not along edges),
// are fitted by generalised least squares and averaged with their marginal likelihoods (J. A. Hoeting et al., Statistical
// Science 14, 382 (1999)). A, B and a term in 1/k, for what is left of the estimator's own bias at few neighbours, have normal
// priors. h is there since the bias of smooth densities goes in even powers of the neighbourhood's radius, (k/n)^(1/3) with
// histories of 1, and the first two have opposite signs: values of strong smooth influence rise by some 0.02 nats before they
// fall. (Without influence there is no bias.)
//
// The noise of T_k that k does not share with larger k has, to 10 or 20 %, one covariance for all densities, V(max(k, k')) with
// V(k) proportional to k^-1.3; its size is measured on the data.
#pragma once

#include <cstdint>
#include <vector>

namespace xcore::te {

struct Extrapolation {
  double value;                // tau
  std::vector<double> weights;  // of the values, sum 1: value = weights . values, the shapes' probabilities held fixed
  double model_variance;       // of tau, by what shape and amplitude are not known
};

// `noise`: V(4), the variance of a value at 4 neighbours beyond what all values share. At least one value.
Extrapolation extrapolate(const std::vector<int32_t>& neighbours, const std::vector<double>& values, double noise);

// V(k) / V(4).
double neighbour_noise(int32_t k);

}  // namespace xcore::te
