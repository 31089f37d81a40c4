#include "te/estimate/estimate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/thread_pool.hpp"
#include "te/gaussian/gaussian.hpp"
#include "te/ksg/ksg.hpp"
#include "te/testing_options.hpp"
#include "te/testing_series.hpp"
#include "testing/backend.hpp"

extern "C" const void* xc_te_table_v1(void);

using namespace xcore;
using namespace xcore::te;

namespace {

xc_te_options defaults() { return default_options(); }

Estimate run(const std::vector<double>& x, const std::vector<double>& y, const xc_te_options& o, bool locals = false) {
  return estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, static_cast<int64_t>(y.size()), o, locals, Control());
}

Embedding embedding_of(const std::vector<double>& x, const std::vector<double>& y, const xc_te_options& o) {
  const Series series{{x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, static_cast<int64_t>(y.size())};
  return embed(series, given_lags(o, 0), o, Scaling::normalised);
}

class Te : public xcore::testing::BackendTest {};

TEST_P(Te, finds_the_direction_of_a_coupling_and_its_significance) {
  auto [x, y] = coupled_ar(1000, 0.7, 1);
  auto o = defaults();
  o.surrogates = 99;
  o.device = device();
  const auto forward = run(x, y, o), backward = run(y, x, o);
  EXPECT_GT(forward.result.te, 0.1);
  EXPECT_LT(std::fabs(backward.result.te), 0.05);
  EXPECT_DOUBLE_EQ(forward.result.p_value, 0.01);
  EXPECT_GT(backward.result.p_value, 0.01);
  EXPECT_LT(std::fabs(forward.result.surrogate_mean), 0.03);
}

TEST_P(Te, every_backend_gives_the_value_of_the_definition) {
  auto [x, y] = coupled_ar(700, 0.5, 3);
  auto o = defaults();
  o.target_history = 2, o.source_history = 2, o.delay = 2, o.theiler = 3, o.surrogates = 3, o.seed = 5;
  const auto expected = run(x, y, o);
  const Embedding e = embedding_of(x, y, o);
  const KsgProblem p{e.n, e.future.values.data(), e.past.values.data(), e.source.values.data(), 1, 2, 2, 4, 3, nullptr, 1, false};
  std::vector<KsgCounts> counts(e.n);
  ksg_counts_ref(p, nullptr, counts.data());
  EXPECT_DOUBLE_EQ(expected.result.te, ksg_value(p, counts.data(), digamma_table(e.n + 1), nullptr));
  o.device = device();
  const auto got = run(x, y, o, true);
  EXPECT_EQ(got.result.te, expected.result.te);
  EXPECT_EQ(got.surrogates, expected.surrogates);
  EXPECT_EQ(got.locals.size(), static_cast<size_t>(e.n));
}
XC_INSTANTIATE_BACKENDS(Te);

TEST(TeEmbedding, columns_hold_the_documented_samples) {
  std::vector<double> x(20), y(20);
  for (int t = 0; t < 20; ++t) x[t] = 100 + t, y[t] = t;
  auto o = defaults();
  o.normalise = 0, o.target_history = 2, o.target_tau = 3, o.source_history = 2, o.source_tau = 2, o.delay = 4;
  const Embedding e = embedding_of(x, y, o);
  // s = max(1 * 3, 1 * 2 + 4 - 1) = 5
  ASSERT_EQ(e.first, 6);
  ASSERT_EQ(e.n, 14);
  EXPECT_EQ(e.future.values[0], 6);
  EXPECT_EQ(e.past.values[0], 5);
  EXPECT_EQ(e.past.values[14], 2);
  EXPECT_EQ(e.source.values[0], 102);
  EXPECT_EQ(e.source.values[14], 100);
  EXPECT_EQ(e.future.values[13], 19);
}

TEST(TeEmbedding, an_offset_a_million_times_the_signal_is_removed) {
  auto [x, y] = coupled_ar(600, 0.7, 9);
  const double before = run(x, y, defaults()).result.te;
  for (double& v : x) v = v * 1e-3 + 1e6;
  for (double& v : y) v = v * 1e-3 + 1e6;
  EXPECT_NEAR(run(x, y, defaults()).result.te, before, 2e-3);
}

TEST(TeConstant, a_constant_source_or_target_tells_nothing) {
  auto [x, y] = coupled_ar(200, 0.5, 2);
  const std::vector<double> flat(200, 0.1);
  auto o = defaults();
  o.surrogates = 10;
  for (const int estimator : {XC_TE_KSG1, XC_TE_GAUSSIAN}) {
    o.estimator = estimator;
    for (const auto& e : {run(flat, y, o), run(x, flat, o), run(flat, flat, o)}) {
      EXPECT_EQ(e.result.te, 0.0);
      EXPECT_EQ(e.result.p_value, 1.0);
    }
  }
}

TEST(TeSurrogates, the_number_of_threads_does_not_show) {
  auto [x, y] = coupled_ar(300, 0.3, 4);
  auto o = defaults();
  o.surrogates = 40, o.seed = 11, o.noise = 1e-8;
  const int before = thread_pool().threads();
  thread_pool().set_threads(1);
  const auto one = run(x, y, o);
  thread_pool().set_threads(4);
  const auto four = run(x, y, o);
  thread_pool().set_threads(before);
  EXPECT_EQ(one.surrogates, four.surrogates);
  EXPECT_EQ(one.result.te, four.result.te);
  o.seed = 12;
  EXPECT_NE(run(x, y, o).surrogates, one.surrogates);
}

TEST(TeSurrogates, p_values_are_uniform_without_a_coupling) {
  int below = 0;
  auto o = defaults();
  o.surrogates = 19;
  for (int seed = 0; seed < 100; ++seed) {
    auto [x, y] = coupled_ar(120, 0.0, 1000 + seed);
    o.seed = seed;
    below += run(x, y, o).result.p_value <= 0.2;
  }
  EXPECT_GT(below, 8);   // 20 expected, standard deviation 4
  EXPECT_LT(below, 32);
}

TEST(TeGaussian, equals_the_closed_form_of_an_ar_process) {
  auto [x, y] = coupled_ar(60000, 0.5, 6);
  auto o = defaults();
  o.estimator = XC_TE_GAUSSIAN;
  const auto e = run(x, y, o);
  // The innovation of y given its own past alone, from the spectral factorisation over k past values, is approached by
  // a longer history; with one past value the partial variance follows from the stationary covariances.
  const double a = 0.5, b = 0.6, c = 0.5;
  const double vx = 1 / (1 - a * a);
  const double cxy = a * c * vx / (1 - a * b);                       // cov(x_t, y_t)
  const double vy = (1 + c * c * vx + 2 * b * c * cxy) / (1 - b * b);
  const double left = vy - std::pow(b * vy + c * cxy, 2) / vy;       // var(y_t+1 | y_t)
  EXPECT_NEAR(e.result.te, 0.5 * std::log(left), 5e-3);
  EXPECT_LT(e.result.analytic_p, 1e-6);
}

TEST(TeGaussian, chi_squared_tails_are_those_of_the_tables) {
  EXPECT_NEAR(chi_squared_tail(3.841458820694124, 1), 0.05, 1e-12);
  EXPECT_NEAR(chi_squared_tail(5.991464547107979, 2), 0.05, 1e-12);
  EXPECT_NEAR(chi_squared_tail(7.814727903251179, 3), 0.05, 1e-12);
  EXPECT_NEAR(chi_squared_tail(11.070497693516351, 5), 0.05, 1e-12);
  EXPECT_NEAR(chi_squared_tail(18.307038053275146, 10), 0.05, 1e-12);
}

TEST(TeArguments, wrong_ones_are_named) {
  auto [x, y] = coupled_ar(50, 0.5, 2);
  const auto field_of = [&](auto change) {
    auto o = defaults();
    auto a = x;
    change(o, a);
    try {
      run(a, y, o);
    } catch (const Error& e) {
      return e.field + ":" + std::to_string(e.status);
    }
    return std::string("accepted");
  };
  using O = xc_te_options&;
  using A = std::vector<double>&;
  EXPECT_EQ(field_of([](O o, A) { o.k = 0; }), "k:1");
  EXPECT_EQ(field_of([](O o, A) { o.k = 49; }), "samples:1");
  EXPECT_EQ(field_of([](O o, A) { o.theiler = 23; }), "samples:1");
  EXPECT_EQ(field_of([](O o, A) { o.delay = -1; }), "delay:1");
  EXPECT_EQ(field_of([](O o, A) { o.source_history = INT32_MAX, o.source_tau = INT32_MAX; }), "samples:1");
  EXPECT_EQ(field_of([](O o, A) { o.estimator = 9; }), "estimator:5");
  EXPECT_EQ(field_of([](O o, A) { o.noise = -1; }), "noise:1");
  EXPECT_EQ(field_of([](O, A a) { a[7] = std::numeric_limits<double>::quiet_NaN(); }), "source:1");
  EXPECT_EQ(field_of([](O o, A) { o.delay = 0; }), "accepted");
}

TEST(TeTable, options_of_an_older_caller_keep_the_defaults_of_what_it_does_not_know) {
  const auto* table = static_cast<const xc_te_table*>(xc_te_table_v1());
  auto [x, y] = coupled_ar(300, 0.5, 2);
  const xc_te_series source{x.data(), 1, 0}, target{y.data(), 1, 0};
  xc_te_options o;
  std::memset(&o, 0xff, sizeof o);
  o.size = offsetof(xc_te_options, target_history);
  o.estimator = XC_TE_KSG1, o.k = 4;
  xc_te_result result{};
  xc_error error;
  ASSERT_EQ(table->estimate(&source, &target, nullptr, 300, &o, nullptr, nullptr, &result, nullptr, &error), XC_OK) << error.message;
  EXPECT_EQ(result.te, run(x, y, defaults()).result.te);
}

TEST(TeTable, a_cancelled_call_ends_as_cancelled) {
  const auto* table = static_cast<const xc_te_table*>(xc_te_table_v1());
  auto [x, y] = coupled_ar(300, 0.5, 2);
  const xc_te_series source{x.data(), 1, 0}, target{y.data(), 1, 0};
  const auto o = defaults();
  const int32_t cancel = 1;
  const xc_control control{&cancel, nullptr, nullptr};
  xc_te_result result{};
  xc_error error;
  EXPECT_EQ(table->estimate(&source, &target, nullptr, 300, &o, nullptr, nullptr, &result, &control, &error), XC_CANCELLED);
}

}  // namespace
