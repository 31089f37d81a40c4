#include <cmath>

#include "thermo/beta_posterior/beta_posterior.hpp"

namespace xcore::thermo {

// I_x(a, b) = x^a (1-x)^b / (a B(a, b)) sum_k prod_{j<k} (a + b + j) / (a + 1 + j) x^k (DLMF 8.17.8): terms of one sign.
static long double lower_series(long double a, long double b, long double x) {
  if (x <= 0) return 0;
  long double term = 1, sum = 1;
  for (int k = 0; term > sum * 1e-21L && k < 100000000; ++k) {
    term *= (a + b + k) / (a + 1 + k) * x;
    sum += term;
  }
  return sum * std::exp(a * std::log(x) + b * std::log1p(-x) + std::lgamma(a + b) - std::lgamma(a + 1) - std::lgamma(b));
}

long double beta_cdf_ref(double a, double b, long double x) {
  if (x >= 1) return 1;
  return x * (a + b) < a ? lower_series(a, b, x) : 1 - lower_series(b, a, 1 - x);
}

static long double quantile(double a, double b, long double probability) {
  long double low = 0, high = 1;
  for (int i = 0; i < 16400 && high - low > 1e-19L * high; ++i) {
    const long double middle = (low + high) / 2;
    if (middle == low || middle == high) break;
    (beta_cdf_ref(a, b, middle) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

void beta_update_ref(const BetaUpdate& u) {
  for (int64_t i = 0; i < u.count; ++i) {
    const long double g = u.forgetting, a0 = u.prior_alpha, b0 = u.prior_beta;
    u.alpha_out[i] = static_cast<double>(a0 + g * (u.alpha[i] - a0) + u.successes[i]);
    u.beta_out[i] = static_cast<double>(b0 + g * (u.beta[i] - b0) + u.failures[i]);
  }
}

void beta_summary_ref(const BetaSummary& s) {
  for (int64_t i = 0; i < s.count; ++i) {
    const long double a = s.alpha[i], b = s.beta[i], n = a + b, tail = (1 - static_cast<long double>(s.level)) / 2;
    s.mean[i] = static_cast<double>(a / n);
    s.variance[i] = static_cast<double>(a * b / (n * n * (n + 1)));
    s.lower[i] = static_cast<double>(quantile(s.alpha[i], s.beta[i], tail));
    s.upper[i] = static_cast<double>(1 - quantile(s.beta[i], s.alpha[i], tail));
  }
}

}  // namespace xcore::thermo
