// The definition, literally: every pair, every column.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "te/ksg/ksg.hpp"

namespace xcore::te {

std::vector<double> digamma_table(int64_t n) {
  std::vector<double> psi(static_cast<size_t>(n) + 1);
  if (n >= 1) psi[1] = -0.57721566490153286060651209;
  for (int64_t m = 1; m < n; ++m) psi[m + 1] = psi[m] + 1.0 / static_cast<double>(m);
  return psi;
}

double ksg_value(const KsgCounts* counts, int64_t n, int32_t k, const std::vector<double>& psi, double* locals) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double term =
        psi[counts[i].past + 1] - psi[counts[i].source_past + 1] - psi[counts[i].future_past + 1];
    sum += term;
    if (locals) locals[i] = term + psi[k];
  }
  return psi[k] + sum / static_cast<double>(n);
}

namespace {

double distance(const double* columns, int32_t dims, int64_t n, int64_t i, int64_t j) {
  double d = 0;
  for (int32_t c = 0; c < dims; ++c) d = std::max(d, std::fabs(columns[c * n + i] - columns[c * n + j]));
  return d;
}

}  // namespace

void ksg_counts_ref(const KsgProblem& p, const int32_t* permutation, KsgCounts* out) {
  std::vector<double> joint, dp(p.n), ds(p.n), df(p.n);
  for (int64_t i = 0; i < p.n; ++i) {
    joint.clear();
    for (int64_t j = 0; j < p.n; ++j) {
      dp[j] = distance(p.past, p.past_dims, p.n, i, j);
      df[j] = distance(p.future, p.future_dims, p.n, i, j);
      ds[j] = distance(p.source, p.source_dims, p.n, permutation ? permutation[i] : i, permutation ? permutation[j] : j);
      if (std::llabs(i - j) > p.theiler) joint.push_back(std::max({dp[j], ds[j], df[j]}));
    }
    std::nth_element(joint.begin(), joint.begin() + (p.k - 1), joint.end());
    const double eps = joint[p.k - 1];
    KsgCounts c{0, 0, 0};
    for (int64_t j = 0; j < p.n; ++j) {
      if (std::llabs(i - j) <= p.theiler || !(dp[j] < eps)) continue;
      ++c.past;
      c.source_past += ds[j] < eps;
      c.future_past += df[j] < eps;
    }
    out[i] = c;
  }
}

}  // namespace xcore::te
