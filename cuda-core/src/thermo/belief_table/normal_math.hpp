// Numerics of one normal-inverse-gamma belief, the same code on CPU and GPU.
//
//   sigma^2 ~ InvGamma(alpha, beta),  mu | sigma^2 ~ N(mean, sigma^2 / kappa)
//
// so that the marginal of mu is Student's t with 2 alpha degrees of freedom, location `mean` and scale
// sqrt(beta / (alpha kappa)). Update, marginals: K. P. Murphy, "Conjugate Bayesian analysis of the Gaussian
// distribution", 2007, section 6. Forgetting is the power prior: kappa, alpha and beta move back to the prior's.
#pragma once

#include "thermo/beta_posterior/beta_math.hpp"

namespace xcore::thermo {

struct NormalBelief {
  double mean, kappa, alpha, beta;
};

// `count` observations of mean `m` and squared deviations `s` from it.
XC_HD NormalBelief normal_update(const NormalBelief& prior, const NormalBelief& now, double forgetting, double count,
                                 double m, double s) {
  const double kappa = prior.kappa + forgetting * (now.kappa - prior.kappa);
  const double alpha = prior.alpha + forgetting * (now.alpha - prior.alpha);
  const double beta = prior.beta + forgetting * (now.beta - prior.beta);
  // What was forgotten of the evidence is forgotten of where it pointed, too: the prior's share of kappa grows back.
  const double mean = kappa > 0 ? (prior.kappa * prior.mean * (1 - forgetting) + forgetting * now.kappa * now.mean) / kappa
                                : now.mean;
  if (!(count > 0)) return {mean, kappa, alpha, beta};
  const double total = kappa + count, off = m - mean;
  return {mean + off * (count / total), total, alpha + 0.5 * count, beta + 0.5 * (s + kappa * (count / total) * off * off)};
}

// Half the width of the central interval of probability `level` of Student's t with `degrees` degrees of freedom, from
// P(|T| > t) = I_{v / (v + t^2)}(v / 2, 1 / 2) (DLMF 8.17).
XC_HD double student_half_width(double degrees, double level) {
  const double outside = 1 - level;
  // The ratio (1 - x) / x at the quantile x of Beta(v / 2, 1 / 2), from the side where it loses no digits.
  if (outside <= 0.5) {
    const double x = beta_lower_quantile(0.5 * degrees, 0.5, outside);
    return sqrt(degrees * (1 - x) / x);
  }
  const double y = beta_lower_quantile(0.5, 0.5 * degrees, level);
  return sqrt(degrees * y / (1 - y));
}

struct NormalReading {
  double mean, variance, lower, upper;
};
// Of mu. The variance is infinite with 2 degrees of freedom or fewer.
XC_HD NormalReading normal_reading(const NormalBelief& b, double level) {
  const double scale = sqrt(b.beta / (b.alpha * b.kappa)), half = scale * student_half_width(2 * b.alpha, level);
  return {b.mean, b.alpha > 1 ? b.beta / ((b.alpha - 1) * b.kappa) : INFINITY, b.mean - half, b.mean + half};
}

constexpr uint64_t kNormalDrawPosition = uint64_t{3} << 61;

// One draw of mu (Thompson sampling): sigma^2 first, then mu given it.
XC_HD double normal_draw(const NormalBelief& b, uint64_t seed, uint64_t stream) {
  Philox random(seed, stream, kNormalDrawPosition);
  const double log_precision = log_gamma_draw(b.alpha, random) - log(b.beta);
  return b.mean + random.next_normal() * exp(-0.5 * log_precision) / sqrt(b.kappa);
}

}  // namespace xcore::thermo
