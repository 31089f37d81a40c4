// Beta posteriors of success probabilities, one a (model, domain) pair, in batches.
//
// update   conjugate Beta-Bernoulli with exponential forgetting towards the prior:
//            a' = a0 + g (a - a0) + successes,   b' = b0 + g (b - b0) + failures,   0 < g <= 1.
//          V. Raj, S. Kalyani, "Taming non-stationary bandits: a Bayesian approach", arXiv 1707.09727.
// summary  mean a / (a + b), variance a b / ((a + b)^2 (a + b + 1)), and the equal-tailed credible interval, by
//          inverting the regularised incomplete beta function I_x(a, b) (DLMF 8.17).
// sample   one Thompson draw X ~ Beta(a, b) a pair, as G_a / (G_a + G_b) of two gamma variables; see beta_math.hpp.
#pragma once

#include <cstdint>

#include "runtime/control.hpp"
#include "thermo/beta_posterior/beta_math.hpp"
#include "xcore/thermo.h"

namespace xcore::thermo {

struct BetaUpdate {
  const double *alpha, *beta, *successes, *failures;  // [count]
  int64_t count;
  double prior_alpha, prior_beta, forgetting;
  double *alpha_out, *beta_out;  // [count], not the inputs
};
struct BetaSummary {
  const double *alpha, *beta;  // [count]
  int64_t count;
  double level;
  double *mean, *variance, *lower, *upper;  // [count]
};
struct BetaSample {
  const double *alpha, *beta;  // [count]
  int64_t count;
  uint64_t seed, first_stream;
  double* draws;  // [count]
};

// Check everything, then run on the device of the rule in runtime/device.hpp.
void beta_update(const BetaUpdate& batch, xc_device device, const Control& control);
void beta_summary(const BetaSummary& batch, xc_device device, const Control& control);
void beta_sample(const BetaSample& batch, xc_device device, const Control& control);

// Unchecked implementations. The references are in long double and share no method with the others: the cumulative
// distribution by its power series, quantiles by bisection.
void beta_update_ref(const BetaUpdate& batch);
void beta_summary_ref(const BetaSummary& batch);
long double beta_cdf_ref(double alpha, double beta, long double x);
void beta_update_cpu(const BetaUpdate& batch, const Control& control);
void beta_summary_cpu(const BetaSummary& batch, const Control& control);
void beta_sample_cpu(const BetaSample& batch, const Control& control);
void beta_update_cuda(const BetaUpdate& batch, int device, const Control& control);
void beta_summary_cuda(const BetaSummary& batch, int device, const Control& control);
void beta_sample_cuda(const BetaSample& batch, int device, const Control& control);

struct BetaReading {
  double mean, variance, lower, upper;
};
XC_HD BetaReading beta_reading(double alpha, double beta, double level) {
  const double n = alpha + beta, tail = 0.5 * (1 - level);
  return {alpha / n, (alpha / n) * (beta / n) / (n + 1), beta_lower_quantile(alpha, beta, tail),
          1 - beta_lower_quantile(beta, alpha, tail)};
}

}  // namespace xcore::thermo
