#include "te/interval/interval.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "runtime/philox.hpp"
#include "te/estimate/estimate.hpp"
#include "te/interval/extrapolation.hpp"
#include "te/interval/noncentral.hpp"
#include "te/testing_options.hpp"
#include "te/testing_series.hpp"

using namespace xcore;
using namespace xcore::te;

namespace {

TEST(Noncentral, distribution_has_the_published_values) {
  EXPECT_NEAR(noncentral_chi_squared(10, 3, 5), 0.7066486478, 1e-9);
  EXPECT_NEAR(noncentral_chi_squared(0.5, 1, 0.3), 0.4585465563, 1e-9);
  EXPECT_NEAR(noncentral_chi_squared(300, 1, 250), 0.9343659115, 1e-9);
  EXPECT_NEAR(noncentral_chi_squared(40, 36, 2), 0.6170842949, 1e-9);
  EXPECT_NEAR(noncentral_chi_squared(700, 30, 600), 0.9182024565, 2e-4);
  EXPECT_NEAR(noncentral_chi_squared(1200, 1, 1100), 0.9298625697, 2e-4);
  EXPECT_EQ(noncentral_chi_squared(0, 3, 5), 0);
}

TEST(Noncentral, limits_cover_at_their_level_with_influence_and_without) {
  for (const double freedom : {1.0, 9.0}) {
    for (const double truth : {0.0, 0.5, 4.0, 60.0}) {
      Philox random(11, static_cast<uint64_t>(truth * 16 + freedom));
      int covered = 0;
      constexpr int kDraws = 600;
      for (int i = 0; i < kDraws; ++i) {
        double x = std::pow(random.next_normal() + std::sqrt(truth), 2);
        for (int d = 1; d < freedom; ++d) x += std::pow(random.next_normal(), 2);
        const Limits l = noncentrality_limits(x, freedom, 0.95);
        ASSERT_LE(l.low, l.high);
        covered += l.low <= truth && truth <= l.high;
      }
      // Four standard errors of a share of 0.95.
      EXPECT_NEAR(covered / static_cast<double>(kDraws), 0.95, 0.036) << freedom << ' ' << truth;
    }
  }
}

TEST(Extrapolation, leaves_the_absence_of_influence_alone) {
  const std::vector<int32_t> neighbours = {2, 3, 4, 6, 8, 12, 16, 24, 32};
  const Extrapolation e = extrapolate(neighbours, std::vector<double>(9, 0.0), 1000, 1e-5);
  EXPECT_NEAR(e.value, 0, 1e-12);
  EXPECT_NEAR(e.model_variance, 0, 1e-12);
}

// An edge's curve falls from the truth, a smooth one from a little above it: only the marginal likelihoods tell which it is.
TEST(Extrapolation, finds_the_value_at_no_neighbours_of_curves_of_every_shape) {
  const std::vector<int32_t> neighbours = {2, 3, 4, 6, 8, 12, 16, 24, 32};
  for (const auto& [exponent, rise] : {std::tuple{1.0 / 3, 0.0}, {1.2, 0.018}}) {
    std::vector<double> values;
    for (const int32_t k : neighbours) values.push_back(0.7 + rise - 0.1 * std::pow(k / 8.0, exponent));
    const Extrapolation e = extrapolate(neighbours, values, 1000, 1e-6);
    EXPECT_NEAR(e.value, 0.7, 0.006) << exponent;
    EXPECT_LT(std::fabs(e.value - 0.7), 3 * std::sqrt(e.model_variance) + 0.006);
  }
}

TEST(Extrapolation, weights_are_how_the_value_moves_with_all_values) {
  const std::vector<int32_t> neighbours = {2, 4, 8, 16};
  const Extrapolation e = extrapolate(neighbours, {0.5, 0.48, 0.45, 0.4}, 1000, 1e-4);
  double sum = 0;
  for (const double w : e.weights) sum += w;
  EXPECT_NEAR(sum, 1, 1e-9);
}

TEST(Interval, of_neighbours_is_one_for_every_k_and_both_algorithms) {
  const auto [x, y] = coupled_ar(300, 0.5, 4);
  auto o = default_options();
  o.interval = 0.95;
  const auto run = [&] {
    return estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, 300, o, false, Control()).result;
  };
  const auto first = run();
  o.estimator = XC_TE_KSG2, o.k = 7;
  const auto second = run();
  EXPECT_EQ(first.interval_low, second.interval_low);
  EXPECT_EQ(first.interval_high, second.interval_high);
  EXPECT_NE(first.te, second.te);
  EXPECT_NEAR(first.te - first.bias, second.te - second.bias, 1e-12);
}

TEST(Interval, of_smooth_estimates_begins_at_zero_without_influence) {
  const auto [x, y] = coupled_ar(1000, 0, 5);
  auto o = default_options();
  o.interval = 0.95, o.estimator = XC_TE_GAUSSIAN;
  const auto r = estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, 1000, o, false, Control()).result;
  EXPECT_EQ(r.interval_low, 0);
  EXPECT_GT(r.interval_high, 0);
  EXPECT_LT(r.interval_high, 0.02);
}

// Estimates of 2n tuples have about half the bias; only what the interval is of stays.
TEST(Interval, of_bins_and_boxes_holds_no_influence_however_few_the_tuples) {
  for (const auto& [estimator, bins, binning] : {std::tuple{XC_TE_BINNED, 4, XC_TE_EQUAL_FREQUENCY}, {XC_TE_BINNED, 8, XC_TE_EQUAL_WIDTH},
                                                {XC_TE_KERNEL, 8, XC_TE_EQUAL_WIDTH}}) {
    int held = 0;
    double bias = 0, centre = 0;
    constexpr int kSeeds = 40;
    for (int seed = 1; seed <= kSeeds; ++seed) {
      const auto [x, y] = coupled_ar(400, 0, 60 + seed);
      auto o = default_options();
      o.interval = 0.95, o.estimator = estimator, o.bins = bins, o.binning = binning;
      const auto r = estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, 400, o, false, Control()).result;
      held += r.interval_low <= 0 && 0 <= r.interval_high;
      bias += r.te / kSeeds, centre += (r.te - r.bias) / kSeeds;
    }
    EXPECT_GE(held, 34) << estimator << ' ' << bins;
    EXPECT_GT(bias, 0.03);
    EXPECT_LT(std::fabs(centre), 0.25 * bias) << estimator << ' ' << bins;
  }
}

TEST(Interval, of_bins_is_the_same_with_the_estimate_corrected) {
  const auto [x, y] = coupled_ar(500, 0.5, 7);
  auto o = default_options();
  o.interval = 0.95, o.estimator = XC_TE_BINNED, o.bins = 4;
  const auto run = [&] {
    return estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, 500, o, false, Control()).result;
  };
  const auto plain = run();
  o.bias_correction = 1;
  const auto corrected = run();
  EXPECT_LT(corrected.te, plain.te);
  EXPECT_NEAR(corrected.interval_low, plain.interval_low, 1e-9);
  EXPECT_NEAR(corrected.interval_high, plain.interval_high, 1e-9);
  EXPECT_NEAR(corrected.te - corrected.bias, plain.te - plain.bias, 1e-9);
}

}  // namespace
