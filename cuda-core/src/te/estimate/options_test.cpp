// What options mean, beyond the plain estimate: masks, segments, conditions, information without lags, intervals.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "te/auto-embedding/auto_embedding.hpp"
#include "te/estimate/estimate.hpp"
#include "te/gaussian/gaussian.hpp"
#include "te/interval/interval.hpp"
#include "te/testing_options.hpp"
#include "te/testing_series.hpp"

using namespace xcore;
using namespace xcore::te;

namespace {

constexpr int kAll[] = {XC_TE_KSG1, XC_TE_KSG2, XC_TE_GAUSSIAN, XC_TE_KERNEL, XC_TE_BINNED};

Estimate run(const std::vector<double>& x, const std::vector<double>& y, const xc_te_options& o, bool locals = false) {
  return estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, static_cast<int64_t>(y.size()), o, locals, Control());
}

TEST(TeLocals, have_the_estimate_as_their_mean_for_every_estimator) {
  auto [x, y] = coupled_ar(500, 0.6, 1);
  for (const int estimator : kAll) {
    for (const int correct : {0, 1}) {
      auto o = default_options();
      o.estimator = estimator, o.bias_correction = correct, o.bins = 4;
      if (correct && estimator == XC_TE_KERNEL) {
        EXPECT_THROW(run(x, y, o), Error);
        continue;
      }
      const auto e = run(x, y, o, true);
      ASSERT_EQ(e.locals.size(), static_cast<size_t>(e.result.tuples));
      EXPECT_NEAR(std::accumulate(e.locals.begin(), e.locals.end(), 0.0) / static_cast<double>(e.locals.size()), e.result.te, 1e-11) << estimator;
    }
  }
}

TEST(TeMask, missing_samples_may_hold_anything_and_their_tuples_are_left_out) {
  auto [x, y] = coupled_ar(400, 0.6, 2);
  std::vector<uint8_t> valid(400, 1);
  valid[50] = valid[51] = valid[200] = 0;
  auto o = default_options();
  o.valid = valid.data();
  for (const int estimator : kAll) {
    o.estimator = estimator;
    const auto before = run(x, y, o);
    EXPECT_EQ(before.result.tuples, 399 - 3 - 2);  // targets at 50, 51, 200 and pasts of 51, 52, 201
    auto a = x, b = y;
    a[50] = std::nan(""), b[51] = std::numeric_limits<double>::infinity(), a[200] = 1e300;
    EXPECT_EQ(run(a, b, o).result.te, before.result.te) << estimator;
  }
}

TEST(TeSegments, no_tuple_crosses_from_one_series_into_the_next) {
  auto [x, y] = coupled_ar(300, 0.6, 3);
  const std::vector<int64_t> segments{100, 1, 199};
  auto o = default_options();
  o.segments = segments.data(), o.segment_count = 3, o.target_history = 2;
  const auto e = run(x, y, o);
  EXPECT_EQ(e.result.tuples, 98 + 0 + 197);
  // Samples that only crossing tuples would pair may be exchanged: the lone sample of the middle series.
  auto a = x, b = y;
  a[100] = 5, b[100] = -5;
  EXPECT_EQ(run(a, b, o).result.te, e.result.te);
  const std::vector<int64_t> wrong{100, 100};
  o.segments = wrong.data(), o.segment_count = 2;
  EXPECT_THROW(run(x, y, o), Error);
}

TEST(TeConditions, have_embeddings_of_their_own) {
  // y hears x through z two samples ago: conditioned on z with delay 2 nothing is left, with delay 1 much.
  const int64_t n = 1500;
  std::vector<double> x(n), y(n), z(n);
  Philox random(9);
  for (int64_t t = 0; t < n; ++t) {
    x[t] = random.next_normal();
    z[t] = x[t] + 0.05 * random.next_normal();
    y[t] = (t >= 2 ? z[t - 2] : 0) + 0.5 * random.next_normal();
  }
  auto o = default_options();
  o.estimator = XC_TE_GAUSSIAN, o.delay = 2;
  const auto with_delay = [&](int32_t delay) {
    const int32_t one = 1;
    o.condition_count = 1, o.condition_history = &one, o.condition_tau = &one, o.condition_delay = &delay;
    return estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {z.data(), 1, 0}, n, o, false, Control()).result.te;
  };
  EXPECT_LT(with_delay(2), 0.02);
  EXPECT_GT(with_delay(1), 0.5);
}

TEST(MutualInformation, of_gaussian_pairs_is_known) {
  const int64_t n = 2000;
  std::vector<double> x(n), y(n);
  Philox random(4);
  for (int64_t t = 0; t < n; ++t) x[t] = random.next_normal(), y[t] = 0.8 * x[t] + 0.6 * random.next_normal();
  const double truth = -0.5 * std::log(1 - 0.64);
  auto o = default_options();
  o.measure = XC_TE_MUTUAL;
  for (const int estimator : {XC_TE_KSG1, XC_TE_KSG2, XC_TE_GAUSSIAN}) {
    o.estimator = estimator;
    const auto e = run(x, y, o);
    EXPECT_EQ(e.result.tuples, n);
    EXPECT_NEAR(e.result.te, truth, 0.05) << estimator;
    // It does not matter which is called the source.
    EXPECT_NEAR(run(y, x, o).result.te, e.result.te, 1e-12);
  }
  o.estimator = XC_TE_BINNED;
  EXPECT_GT(run(x, y, o).result.te, 0.3);
  // Given the common cause, nothing.
  o.estimator = XC_TE_GAUSSIAN;
  EXPECT_LT(estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {x.data(), 1, 0}, n, o, false, Control()).result.te, 1e-9);
}

TEST(TeDelay, a_scan_finds_the_true_one) {
  const int64_t n = 600;
  std::vector<double> x(n), y(n);
  Philox random(5);
  for (int64_t t = 0; t < n; ++t) x[t] = random.next_normal(), y[t] = (t >= 4 ? x[t - 4] : 0) + 0.5 * random.next_normal();
  auto o = default_options();
  o.max_delay = 7;
  for (const int estimator : kAll) {
    o.estimator = estimator;
    EXPECT_EQ(run(x, y, o).result.delay, 4) << estimator;
  }
}

TEST(TeGreedy, picks_the_lags_that_matter) {
  const int64_t n = 800;
  std::vector<double> x(n), y(n);
  Philox random(6);
  for (int64_t t = 0; t < n; ++t) {
    x[t] = random.next_normal();
    y[t] = (t >= 3 ? 0.6 * y[t - 2] + 0.8 * x[t - 3] : 0) + 0.4 * random.next_normal();
  }
  auto o = default_options();
  o.embedding = XC_TE_GREEDY, o.max_history = 4;
  for (const int estimator : {XC_TE_KSG1, XC_TE_GAUSSIAN}) {
    o.estimator = estimator;
    const auto r = run(x, y, o).result;
    ASSERT_GE(r.target_lag_count, 1);
    EXPECT_EQ(r.target_lags[0], 2) << estimator;
    ASSERT_GE(r.source_lag_count, 1);
    EXPECT_NE(std::find(r.source_lags, r.source_lags + r.source_lag_count, 3), r.source_lags + r.source_lag_count) << estimator;
  }
}

TEST(TeAutoK, is_one_of_the_candidates_and_repeats) {
  auto [x, y] = coupled_ar(600, 0.6, 7);
  auto o = default_options();
  o.auto_k = 1;
  const auto a = run(x, y, o);
  EXPECT_GE(a.result.k, 3);
  EXPECT_LE(a.result.k, 32);
  EXPECT_EQ(run(x, y, o).result.k, a.result.k);
}

TEST(TeInterval, holds_the_estimate_and_narrows_with_samples) {
  for (const int estimator : kAll) {
    auto o = default_options();
    o.estimator = estimator, o.interval = 0.95, o.bins = 4;
    auto [x, y] = coupled_ar(400, 0.6, 8);
    auto [u, v] = coupled_ar(3200, 0.6, 8);
    const auto few = run(x, y, o).result, many = run(u, v, o).result;
    EXPECT_LT(few.interval_low, few.te - few.bias);
    EXPECT_GT(few.interval_high, few.te - few.bias);
    EXPECT_LT(many.standard_error, 0.6 * few.standard_error) << estimator;
  }
}

TEST(TeInterval, quantiles_of_student_are_right) {
  EXPECT_NEAR(student_quantile(0.975, 31), 2.0395, 1e-3);
  EXPECT_NEAR(student_quantile(0.995, 10), 3.1693, 5e-3);
}

TEST(TeChiSquared, tails_are_right_for_few_and_many_degrees) {
  EXPECT_NEAR(chi_squared_tail(3.841459, 1), 0.05, 1e-6);
  EXPECT_NEAR(chi_squared_tail(18.307038, 10), 0.05, 1e-6);
  EXPECT_NEAR(chi_squared_tail(2000, 2000), 0.4957952, 1e-5);
  EXPECT_NEAR(chi_squared_tail(5000, 5000), 0.497340, 1e-4);
  EXPECT_EQ(chi_squared_tail(0, 3), 1.0);
}

TEST(TeOptions, out_of_range_name_their_field) {
  auto [x, y] = coupled_ar(100, 0.6, 9);
  const auto field = [&](const auto& change) -> std::string {
    auto o = default_options();
    change(o);
    try {
      run(x, y, o);
    } catch (const Error& e) {
      return e.field;
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(field([](auto& o) { o.estimator = 99; }), "estimator");
  EXPECT_EQ(field([](auto& o) { o.kernel_width = 0; }), "kernelWidth");
  EXPECT_EQ(field([](auto& o) { o.bins = 1; }), "bins");
  EXPECT_EQ(field([](auto& o) { o.delay = -1; }), "delay");
  EXPECT_EQ(field([](auto& o) { o.interval = 1; }), "interval");
  EXPECT_EQ(field([](auto& o) { o.max_history = 65; }), "maxHistory");
  EXPECT_EQ(field([](auto& o) { o.theiler = 60; }), "samples");
  EXPECT_EQ(field([](auto& o) { o.estimator = XC_TE_GAUSSIAN, o.single_precision = 1; }), "precision");
}

TEST(TeTies, all_estimators_stay_finite_on_two_valued_data_and_huge_offsets) {
  std::vector<double> x(200), y(200);
  Philox random(10);
  for (int i = 0; i < 200; ++i) x[i] = random.next_below(2), y[i] = random.next_below(2);
  for (const int estimator : kAll) {
    for (const double offset : {0.0, 1e12}) {
      auto a = x, b = y;
      for (double& v : a) v += offset;
      for (double& v : b) v += offset;
      auto o = default_options();
      o.estimator = estimator, o.surrogates = 5, o.interval = 0.9;
      const auto r = run(a, b, o).result;
      EXPECT_TRUE(std::isfinite(r.te)) << estimator;
      EXPECT_TRUE(std::isfinite(r.surrogate_mean)) << estimator;
      EXPECT_TRUE(std::isfinite(r.interval_low)) << estimator;
    }
  }
}

}  // namespace
