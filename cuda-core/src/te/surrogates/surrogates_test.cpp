#include "te/surrogates/surrogates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/thread_pool.hpp"
#include "te/estimate/estimate.hpp"
#include "te/testing_options.hpp"
#include "te/testing_series.hpp"

using namespace xcore;
using namespace xcore::te;

namespace {

double autocorrelation(const std::vector<double>& x, int64_t lag) {
  const double n = static_cast<double>(x.size()), mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double c = 0, v = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    v += (x[i] - mean) * (x[i] - mean);
    if (i + lag < x.size()) c += (x[i] - mean) * (x[i + lag] - mean);
  }
  return c / v;
}

TEST(Surrogates, iaaft_keeps_the_values_and_the_autocorrelation) {
  for (const int64_t n : {int64_t{1000}, int64_t{1024}, int64_t{997}}) {
    std::vector<double> x(n);
    Philox random(3);
    double a = 0;
    for (double& v : x) v = a = 0.8 * a + random.next_normal();
    std::vector<double> y(n), other(n);
    iaaft(x.data(), n, 1, 0, y.data());
    iaaft(x.data(), n, 1, 1, other.data());
    EXPECT_NE(y, x);
    EXPECT_NE(y, other);
    EXPECT_NEAR(autocorrelation(y, 1), autocorrelation(x, 1), 0.03);
    EXPECT_NEAR(autocorrelation(y, 3), autocorrelation(x, 3), 0.05);
    std::vector<double> sx = x, sy = y;
    std::sort(sx.begin(), sx.end());
    std::sort(sy.begin(), sy.end());
    EXPECT_EQ(sx, sy);
  }
}

TEST(Surrogates, rows_of_every_method_are_permutations_of_their_kind) {
  auto o = default_options();
  for (const int method : {XC_TE_PERMUTATION, XC_TE_SHIFT, XC_TE_BLOCK}) {
    o.surrogate_method = method, o.theiler = 5;
    std::vector<int32_t> rows(103);
    surrogate_rows(o, 7, 103, rows.data());
    int follow = 0;
    for (int i = 1; i < 103; ++i) follow += rows[i] == rows[i - 1] + 1;
    if (method == XC_TE_SHIFT) {
      EXPECT_GE(follow, 101);
      EXPECT_GT(std::min(rows[0], 103 - rows[0]), 5);
    }
    if (method == XC_TE_BLOCK) {
      EXPECT_GE(follow, 103 - 12);
    }
    if (method == XC_TE_PERMUTATION) {
      EXPECT_LT(follow, 10);
    }
    std::sort(rows.begin(), rows.end());
    for (int i = 0; i < 103; ++i) ASSERT_EQ(rows[i], i);
  }
}

TEST(Surrogates, a_clear_null_stops_early_and_a_link_does_not) {
  auto o = default_options();
  o.estimator = XC_TE_GAUSSIAN, o.surrogates = 1000, o.stop_after = 10;
  auto [x, y] = coupled_ar(300, 0.8, 1);
  const auto run = [&](const std::vector<double>& a, const std::vector<double>& b) {
    return estimate({a.data(), 1, 0}, {b.data(), 1, 0}, {nullptr, 0, 0}, 300, o, false, Control());
  };
  const auto link = run(x, y), null = run(y, x);
  EXPECT_EQ(link.surrogates.size(), 1000u);
  EXPECT_NEAR(link.result.p_value, 1.0 / 1001, 1e-12);
  EXPECT_LT(null.surrogates.size(), 1000u);
  EXPECT_DOUBLE_EQ(null.result.p_value, 10.0 / static_cast<double>(null.surrogates.size()));
  const int before = thread_pool().threads();
  thread_pool().set_threads(before == 1 ? 3 : 1);
  EXPECT_EQ(run(y, x).surrogates, null.surrogates);
  thread_pool().set_threads(before);
}

TEST(Surrogates, every_method_and_estimator_finds_a_link_and_no_other) {
  auto [x, y] = coupled_ar(400, 0.8, 2);
  for (const int estimator : {XC_TE_KSG1, XC_TE_KSG2, XC_TE_GAUSSIAN, XC_TE_KERNEL, XC_TE_BINNED}) {
    for (const int method : {XC_TE_PERMUTATION, XC_TE_SHIFT, XC_TE_BLOCK, XC_TE_IAAFT}) {
      auto o = default_options();
      o.estimator = estimator, o.surrogate_method = method, o.surrogates = 39, o.bins = 4;
      const auto e = estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, 400, o, false, Control());
      EXPECT_NEAR(e.result.p_value, 1.0 / 40, 1e-12) << estimator << ' ' << method;
      EXPECT_LT(e.result.surrogate_mean, e.result.te / 2) << estimator << ' ' << method;
    }
  }
}

}  // namespace
