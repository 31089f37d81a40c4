#include "te/stream/stream.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "te/estimate/estimate.hpp"
#include "te/testing_options.hpp"
#include "te/testing_series.hpp"

using namespace xcore;
using namespace xcore::te;

namespace {

double batch(const std::vector<double>& x, const std::vector<double>& y, int64_t end, int64_t window, const xc_te_options& o) {
  return estimate({x.data() + end - window, 1, 0}, {y.data() + end - window, 1, 0}, {nullptr, 0, 0}, window, o, false, Control()).result.te;
}

// Every value of the stream from a full window on, beside the estimate over the same samples.
void compare(const xc_te_options& o, int64_t scale_every, double tolerance, bool ties = false) {
  constexpr int64_t kWindow = 120, kSamples = 420;
  auto [x, y] = coupled_ar(kSamples, 0.6, 11);
  if (ties)
    for (auto* v : {&x, &y})
      for (double& a : *v) a = std::round(a * 2) / 2;
  const auto stream = open_stream(1, 1, kWindow, scale_every, o);
  for (int64_t t = 0; t < kSamples; ++t) {
    stream->push(&x[t], &y[t], 1);
    const xc_te_result r = stream->value();
    if (t + 1 < kWindow) {
      ASSERT_EQ(r.tuples, 0);
      ASSERT_TRUE(std::isnan(r.te));
    } else {
      const double expected = batch(x, y, t + 1, kWindow, o);
      ASSERT_NEAR(r.te, expected, tolerance) << t;  // 0: to the last bit
    }
  }
}

TEST(Stream, ksg_equals_the_estimate_over_the_window_to_the_last_bit) {
  for (const int estimator : {XC_TE_KSG1, XC_TE_KSG2}) {
    for (const bool ties : {false, true}) {
      auto o = default_options();
      o.estimator = estimator, o.normalise = 0, o.target_history = 2, o.theiler = 3;
      compare(o, 1, 0, ties);
      o.single_precision = 1;
      compare(o, 1, 0, ties);
    }
  }
}

TEST(Stream, normalised_ksg_equals_the_estimate_at_every_sample_or_whenever_scales_are_taken_anew) {
  auto o = default_options();
  compare(o, 1, 0);
  auto [x, y] = coupled_ar(400, 0.6, 2);
  const auto stream = open_stream(1, 1, 100, 50, o);
  for (int64_t t = 0; t < 400; ++t) {
    stream->push(&x[t], &y[t], 1);
    const double te = stream->value().te;
    if (t < 99) continue;
    const double expected = batch(x, y, t + 1, 100, o);
    EXPECT_NEAR(te, expected, (t - 99) % 50 == 0 ? 0 : 0.2) << t;
  }
}

TEST(Stream, gaussian_and_binned_equal_the_estimate_over_the_window) {
  auto o = default_options();
  o.estimator = XC_TE_GAUSSIAN, o.source_history = 2;
  compare(o, 1, 1e-11);
  o.bias_correction = 1;
  compare(o, 1, 1e-11);
  o.estimator = XC_TE_BINNED, o.bins = 4, o.bias_correction = 0;
  compare(o, 1, 1e-12);
  o.binning = XC_TE_EQUAL_FREQUENCY;
  compare(o, 1, 0);
}

TEST(Stream, chunks_give_what_single_samples_give) {
  auto o = default_options();
  o.normalise = 0;
  auto [x, y] = coupled_ar(300, 0.4, 5);
  const auto one = open_stream(1, 1, 100, 1, o), many = open_stream(1, 1, 100, 1, o);
  for (int64_t t = 0; t < 300; ++t) one->push(&x[t], &y[t], 1);
  many->push(x.data(), y.data(), 170);
  many->push(x.data() + 170, y.data() + 170, 130);
  EXPECT_EQ(one->value().te, many->value().te);
}

TEST(Stream, a_constant_window_gives_0_and_a_wrong_sample_changes_nothing) {
  auto o = default_options();
  for (const int estimator : {XC_TE_KSG1, XC_TE_GAUSSIAN, XC_TE_BINNED}) {
    o.estimator = estimator;
    const auto stream = open_stream(1, 1, 50, 1, o);
    const std::vector<double> flat(60, 2.5);
    auto [x, y] = coupled_ar(60, 0.4, 5);
    stream->push(flat.data(), y.data(), 60);
    EXPECT_EQ(stream->value().te, 0.0);
    double nan = std::nan("");
    EXPECT_THROW(stream->push(&nan, y.data(), 1), Error);
    EXPECT_EQ(stream->value().te, 0.0);
  }
  EXPECT_THROW(open_stream(1, 1, 5, 1, default_options()), Error);
  EXPECT_THROW(open_stream(0, 1, 50, 1, default_options()), Error);
}

}  // namespace
