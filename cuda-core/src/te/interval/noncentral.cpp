#include "te/interval/noncentral.hpp"

#include <algorithm>
#include <cmath>

#include "te/gaussian/gaussian.hpp"

namespace xcore::te {
namespace {

// ln of the probability that a Poisson variable with this mean is m.
double log_poisson(double mean, double m) { return m * std::log(mean) - mean - std::lgamma(m + 1); }

}  // namespace

double noncentral_chi_squared(double x, double d, double l) {
  if (!(x > 0)) return 0;
  if (!(l > 0)) return 1 - chi_squared_tail(x, d);
  if (d + l > 500) {
    const double sum = d + l, h = 1 - 2 * sum * (d + 3 * l) / (3 * (d + 2 * l) * (d + 2 * l));
    const double p = (d + 2 * l) / (sum * sum), m = (h - 1) * (1 - 3 * h);
    const double z = (std::pow(x / sum, h) - (1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p))) / (h * std::sqrt(2 * p) * (1 + 0.5 * m * p));
    return 0.5 * std::erfc(-z / std::sqrt(2.0));
  }
  const double mean = l / 2, reach = 8 * std::sqrt(mean) + 20;
  const double first = std::max(0.0, std::floor(mean - reach));
  double below = 1 - chi_squared_tail(x, d + 2 * first), sum = 0;
  for (double m = first; m <= mean + reach; ++m) {
    sum += std::exp(log_poisson(mean, m)) * std::max(0.0, below);
    below -= std::exp(log_poisson(x / 2, d / 2 + m));  // two degrees more
  }
  return std::min(1.0, sum);
}

Limits noncentrality_limits(double x, double d, double level) {
  const double alpha = 1 - level;
  const auto lower_tail = [&](double l) { return alpha / 2 * -std::expm1(-l / 2); };
  const auto kept_from_below = [&](double l) { return noncentral_chi_squared(x, d, l) >= lower_tail(l); };
  const auto kept_from_above = [&](double l) { return noncentral_chi_squared(x, d, l) <= level + lower_tail(l); };
  double far = std::max(16.0, 2 * x);
  while (kept_from_below(far)) far *= 2;
  const auto border = [&](auto below, double a, double b) {
    for (int i = 0; i < 60 && b - a > 1e-9 * b; ++i) {
      const double middle = (a + b) / 2;
      (below(middle) ? a : b) = middle;
    }
    return (a + b) / 2;
  };
  const double high = border(kept_from_below, 0, far);
  const double low = kept_from_above(0) ? 0 : border([&](double l) { return !kept_from_above(l); }, 0, far);
  return {std::min(low, high), high};
}

}  // namespace xcore::te
