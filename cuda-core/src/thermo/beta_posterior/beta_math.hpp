// Numerics of one Beta(a, b) variable, the same code on CPU and GPU. Nothing here forms a^n, Gamma(a) or x^a: all is
// done with logarithms, so the whole documented range of parameters works.
#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/philox.hpp"

namespace xcore::thermo {

// log Gamma(z) - [(z - 1/2) log z - z + log(2 pi) / 2], the error of Stirling's formula; z > 0.
// Series: DLMF 5.11.1; small z are moved up by the recurrence Gamma(z + 1) = z Gamma(z).
XC_HD double stirling_error(double z) {
  double shift = 0, at = z;
  if (z < 10) {
    const double start = z;
    double product = 1;
    while (at < 10) {
      product *= at;
      at += 1;
    }
    // Both formulas are subtracted, which only matters below 10 where neither is large.
    shift = (at - 0.5) * log(at) - at - ((start - 0.5) * log(start) - start) - log(product);
  }
  const double r = 1 / at, r2 = r * r;
  return shift +
         r * (1.0 / 12 - r2 * (1.0 / 360 - r2 * (1.0 / 1260 - r2 * (1.0 / 1680 - r2 * (1.0 / 1188 - r2 * (691.0 / 360360))))));
}

// t - log(1 + t) for t > -1; `log1p_t` is log(1 + t), used where nothing cancels.
XC_HD double minus_log1p(double t, double log1p_t) {
  if (fabs(t) > 0.1) return t - log1p_t;
  double sum = 0, power = t * t;
  for (int k = 2; k < 20; ++k) {
    sum += power / k;
    power *= -t;
  }
  return sum;
}

// A point of (0, 1) by its logit, so that neither end loses digits.
struct UnitPoint {
  double x, y, log_x, log_y;  // y = 1 - x
};
XC_HD UnitPoint unit_point(double logit) {
  const double e = exp(-fabs(logit)), large = 1 / (1 + e), small = e / (1 + e), log_large = -log1p(e);
  const double log_small = log_large - fabs(logit);
  return logit >= 0 ? UnitPoint{large, small, log_large, log_small} : UnitPoint{small, large, log_small, log_large};
}

// log of x^a (1-x)^b / B(a, b), which is the density of logit X. In Loader's saddle-point form, where the large terms
// have cancelled on paper (C. Loader, "Fast and accurate computation of binomial probabilities", 2000).
XC_HD double log_logit_density(double a, double b, const UnitPoint& p) {
  const double n = a + b, mean = a / n, rest = b / n;
  const double offset = p.x < 0.5 ? p.x - mean : rest - p.y;
  const double deviance = a * minus_log1p(offset / mean, p.log_x - log(mean)) +
                          b * minus_log1p(-offset / rest, p.log_y - log(rest));
  return 0.5 * (log(a) + log(b) - log(n)) - 0.91893853320467274178 - deviance + stirling_error(n) - stirling_error(a) -
         stirling_error(b);
}

// The continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method: I_x(a, b) is
// x^a y^b / (a B(a, b)) times this. Converges fast for x < (a + 1) / (a + b + 2), in O(sqrt(a + b)) steps at worst.
XC_HD double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  if (fabs(d) < tiny) d = tiny;
  d = 1 / d;
  double f = d;
  for (int m = 1; m <= 500000; ++m) {
    const double even = m * (b - m) * x / ((a + 2.0 * m - 1) * (a + 2.0 * m));
    d = 1 + even * d;
    c = 1 + even / c;
    if (fabs(d) < tiny) d = tiny;
    if (fabs(c) < tiny) c = tiny;
    d = 1 / d;
    f *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1));
    d = 1 + odd * d;
    c = 1 + odd / c;
    if (fabs(d) < tiny) d = tiny;
    if (fabs(c) < tiny) c = tiny;
    d = 1 / d;
    const double step = c * d;
    f *= step;
    if (fabs(step - 1) < 3e-16) break;
  }
  return f;
}

// log I_x(a, b), the logarithm of the cumulative distribution, given log_logit_density of the point.
XC_HD double log_beta_cdf(double a, double b, const UnitPoint& p, double log_density) {
  if (p.x < (a + 1) / (a + b + 2)) return log_density - log(a) + log(beta_fraction(a, b, p.x));
  const double above = exp(log_density - log(b)) * beta_fraction(b, a, p.y);
  return log1p(-(above < 1 ? above : 1 - 1e-16));
}

// x with P(X <= x) = probability, 0 < probability <= 1/2, for X ~ Beta(a, b); 0 when x is below the least double.
// In u = logit x the density is log-concave, so log of the cumulative distribution is concave and increasing: Newton's
// method on it converges from every start (after one step it approaches from the left). The bracket guards rounding.
XC_HD double beta_lower_quantile(double a, double b, double probability) {
  const double target = log(probability);
  double low = -1e300, high = 1e300, u = log(a) - log(b);
  for (int i = 0; i < 200; ++i) {
    const UnitPoint p = unit_point(u);
    const double log_density = log_logit_density(a, b, p), log_cdf = log_beta_cdf(a, b, p, log_density);
    const double excess = log_cdf - target;
    (excess > 0 ? high : low) = u;
    double next = u - excess * exp(log_cdf - log_density);
    if (!(next > low && next < high)) next = low > -1e300 && high < 1e300 ? 0.5 * (low + high) : u;
    const double moved = fabs(next - u);
    u = next;
    if (moved <= 4e-16 * (1 + fabs(u))) break;
  }
  return unit_point(u).x;
}

// The logarithm of a Gamma(shape, 1) variable. G. Marsaglia, W. W. Tsang, "A simple method for generating gamma
// variables", ACM TOMS 26 (2000); shapes below 1 by their remark Gamma(a) = Gamma(a + 1) U^(1/a).
XC_HD double log_gamma_draw(double shape, Philox& random) {
  const bool small = shape < 1;
  const double d = (small ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
  double log_v = 0;
  // A round is accepted with probability above 0.95, so the bound is never met; it only makes the loop provably finite.
  for (int round = 0; round < 64; ++round) {
    const double normal = random.next_normal(), u = 1 - random.next_double(), root = 1 + c * normal;
    if (root <= 0) continue;
    const double v = root * root * root, candidate = 3 * log(root);
    if (log(u) < 0.5 * normal * normal + d - d * v + d * candidate) {
      log_v = candidate;
      break;
    }
  }
  const double log_gamma = log(d) + log_v;
  return small ? log_gamma + log(1 - random.next_double()) / shape : log_gamma;
}

// boltzmann's draws begin at position 0 of a stream, these here.
constexpr uint64_t kBetaDrawPosition = uint64_t{1} << 62;

// X ~ Beta(a, b) as G_a / (G_a + G_b), in logarithms so that tiny shapes do not give 0 / 0.
XC_HD double beta_draw(double a, double b, uint64_t seed, uint64_t stream) {
  Philox random(seed, stream, kBetaDrawPosition);
  const double first = log_gamma_draw(a, random), second = log_gamma_draw(b, random);
  return unit_point(first - second).x;
}

}  // namespace xcore::thermo
