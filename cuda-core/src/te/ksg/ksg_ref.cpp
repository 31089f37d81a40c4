// The definition, literally: every pair, every column.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "te/ksg/ksg.hpp"

namespace xcore::te {

std::vector<double> digamma_table(int64_t n) {
  std::vector<double> psi(static_cast<size_t>(n) + 1);
  if (n >= 1) psi[1] = -0.57721566490153286060651209;
  for (int64_t m = 1; m < n; ++m) psi[m + 1] = psi[m] + 1.0 / static_cast<double>(m);
  return psi;
}

double ksg_value(const KsgProblem& p, const KsgCounts* counts, const std::vector<double>& psi, double* locals) {
  const bool second = p.algorithm == 2;
  const double constant = second ? psi[p.k] - (p.past_dims > 0 ? 2.0 : 1.0) / p.k : psi[p.k];
  const int32_t plus = second ? 0 : 1;
  double sum = 0;
  for (int64_t i = 0; i < p.n; ++i) {
    const KsgCounts& c = counts[i];
    double term = psi[c.past + plus] - psi[c.source_past + plus] - psi[c.future_past + plus];
    if (second && p.past_dims > 0) term += 1.0 / c.source_past + 1.0 / c.future_past;
    sum += term;
    if (locals) locals[i] = term + constant;
  }
  return constant + sum / static_cast<double>(p.n);
}

namespace {

template <class T>
struct Reference {
  const KsgProblem& p;
  std::vector<T> past, future, source;

  explicit Reference(const KsgProblem& problem)
      : p(problem), past(p.past, p.past + p.n * p.past_dims), future(p.future, p.future + p.n * p.future_dims),
        source(p.source, p.source + p.n * p.source_dims) {}

  T distance(const std::vector<T>& columns, int32_t dims, int64_t i, int64_t j) const {
    T d = 0;
    for (int32_t c = 0; c < dims; ++c) d = std::max(d, std::fabs(columns[c * p.n + i] - columns[c * p.n + j]));
    return d;
  }

  void run(const int32_t* permutation, KsgCounts* out) const {
    std::vector<T> dp(p.n), ds(p.n), df(p.n), joint(p.n);
    std::vector<int64_t> others;
    for (int64_t i = 0; i < p.n; ++i) {
      others.clear();
      for (int64_t j = 0; j < p.n; ++j) {
        dp[j] = distance(past, p.past_dims, i, j);
        df[j] = distance(future, p.future_dims, i, j);
        ds[j] = distance(source, p.source_dims, permutation ? permutation[i] : i, permutation ? permutation[j] : j);
        joint[j] = std::max({dp[j], ds[j], df[j]});
        const int64_t apart = p.time ? std::llabs(int64_t{p.time[i]} - p.time[j]) : std::llabs(i - j);
        if (apart > p.theiler) others.push_back(j);
      }
      std::vector<int64_t> near = others;
      std::sort(near.begin(), near.end(), [&](int64_t a, int64_t b) { return joint[a] < joint[b] || (joint[a] == joint[b] && a < b); });
      near.resize(p.k);
      const T eps = joint[near.back()];
      KsgCounts c{0, 0, 0};
      if (p.algorithm == 1) {
        for (int64_t j : others) {
          if (p.past_dims > 0 && !(dp[j] < eps)) continue;
          ++c.past;
          c.source_past += ds[j] < eps;
          c.future_past += df[j] < eps;
        }
      } else {
        T ep = 0, es = 0, ef = 0;
        for (int64_t j : near) ep = std::max(ep, dp[j]), es = std::max(es, ds[j]), ef = std::max(ef, df[j]);
        for (int64_t j : others) {
          if (p.past_dims > 0 && !(dp[j] <= ep)) continue;
          ++c.past;
          c.source_past += ds[j] <= es;
          c.future_past += df[j] <= ef;
        }
      }
      if (p.past_dims == 0) c.past = static_cast<int32_t>(p.n) - (p.algorithm == 1 ? 1 : 0);
      out[i] = c;
    }
  }
};

}  // namespace

void ksg_counts_ref(const KsgProblem& p, const int32_t* permutation, KsgCounts* out) {
  if (p.single) Reference<float>(p).run(permutation, out);
  else Reference<double>(p).run(permutation, out);
}

}  // namespace xcore::te
