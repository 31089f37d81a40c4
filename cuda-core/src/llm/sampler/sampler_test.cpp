#include "llm/sampler/sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/philox.hpp"

namespace xcore::llm {
namespace {

std::vector<float> random_logits(int32_t count, uint64_t seed, float scale = 3.0f) {
  Philox random(seed);
  std::vector<float> logits(static_cast<size_t>(count));
  for (float& l : logits) l = scale * static_cast<float>(random.next_normal());
  return logits;
}

// Draws `draws` times and returns how often each id came.
std::vector<int64_t> histogram(const std::vector<float>& logits, const Sampling& sampling, int64_t draws, uint64_t seed = 1) {
  Sampler sampler;
  std::vector<int64_t> counts(logits.size(), 0);
  for (int64_t i = 0; i < draws; ++i) {
    Philox random(seed, 0, 4 * static_cast<uint64_t>(i));
    ++counts[static_cast<size_t>(sampler.sample(logits.data(), static_cast<int32_t>(logits.size()), sampling, random.next_double()).id)];
  }
  return counts;
}

double chi_square(const std::vector<int64_t>& counts, const std::vector<double>& p, int64_t draws) {
  double statistic = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) {
      EXPECT_EQ(counts[i], 0) << "id " << i << " has probability 0";
      continue;
    }
    const double expected = p[i] * static_cast<double>(draws);
    statistic += (static_cast<double>(counts[i]) - expected) * (static_cast<double>(counts[i]) - expected) / expected;
  }
  return statistic;
}

TEST(Sampler, draws_the_softmax_at_a_temperature) {
  const std::vector<float> logits = {1.0f, -0.5f, 2.0f, 0.0f, 0.7f, -1.2f, 1.5f, 0.3f};
  for (const double temperature : {0.5, 1.0, 2.0}) {
    std::vector<double> p;
    double sum = 0;
    for (const float l : logits) sum += p.emplace_back(std::exp(l / temperature));
    for (double& x : p) x /= sum;
    // 7 degrees of freedom: 24.3 is passed by chance once in a thousand; the seed is fixed.
    EXPECT_LT(chi_square(histogram(logits, {temperature, 0, 1}, 50000), p, 50000), 24.3) << "T = " << temperature;
  }
}

TEST(Sampler, top_k_keeps_the_k_largest_renormalised) {
  const std::vector<float> logits = {1.0f, -0.5f, 2.0f, 0.0f, 0.7f, -1.2f};
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(0.7f);
  const std::vector<double> p = {std::exp(1.0) / sum, 0, std::exp(2.0) / sum, 0, std::exp(0.7f) / sum, 0};
  EXPECT_LT(chi_square(histogram(logits, {1, 3, 1}, 30000), p, 30000), 13.8);
}

TEST(Sampler, top_k_one_is_greedy) {
  const auto logits = random_logits(500, 3);
  const auto best = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  Sampler sampler;
  for (const double u : {0.0, 0.3, 0.999999}) EXPECT_EQ(sampler.sample(logits.data(), 500, {1.5, 1, 1}, u).id, best);
}

TEST(Sampler, ties_at_the_boundary_of_top_k_keep_the_lower_ids) {
  const std::vector<float> logits = {0.0f, 1.0f, 1.0f, 1.0f, 0.0f};
  const auto counts = histogram(logits, {1, 2, 1}, 2000);
  EXPECT_GT(counts[1], 0);
  EXPECT_GT(counts[2], 0);
  EXPECT_EQ(counts[1] + counts[2], 2000);
}

TEST(Sampler, top_p_keeps_the_shortest_prefix_that_reaches_it) {
  // Probabilities 0.5, 0.25, 0.125, 0.125 exactly.
  const std::vector<float> logits = {static_cast<float>(std::log(0.25)), static_cast<float>(std::log(0.5)),
                                     static_cast<float>(std::log(0.125)), static_cast<float>(std::log(0.125))};
  const auto kept = [&](double top_p) {
    const auto counts = histogram(logits, {1, 0, top_p}, 4000);
    return 4 - std::count(counts.begin(), counts.end(), 0);
  };
  EXPECT_EQ(kept(0.01), 1);
  EXPECT_EQ(kept(0.49), 1);
  EXPECT_EQ(kept(0.51), 2);
  EXPECT_EQ(kept(0.74), 2);
  EXPECT_EQ(kept(0.76), 3);
  EXPECT_EQ(kept(0.88), 4);
  EXPECT_EQ(kept(1.0), 4);
  const auto tied = histogram(logits, {1, 0, 0.8}, 4000);
  EXPECT_GT(tied[2], 0) << "of equal probabilities the lower id is the one kept";
  EXPECT_EQ(tied[3], 0);
}

TEST(Sampler, equals_its_reference_away_from_boundaries_at_every_level) {
  Sampler sampler;
  int compared = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Philox random(seed, 9);
    const auto count = static_cast<int32_t>(1 + random.next_below(700));
    auto logits = random_logits(count, seed, seed % 3 == 0 ? 0.2f : 4.0f);
    if (seed % 4 == 0) {
      for (float& l : logits) l = std::round(l);  // many ties
    }
    if (seed % 5 == 0 && count > 1) logits[random.next_below(static_cast<uint32_t>(count))] = -std::numeric_limits<float>::infinity();
    const Sampling sampling{seed % 7 == 0 ? 0.0 : 0.1 + 2 * random.next_double(), static_cast<int32_t>(random.next_below(60)),
                            seed % 2 ? 1.0 : 0.05 + 0.9 * random.next_double()};
    const double u = 0.001 + 0.99 * random.next_double();
    const Sampled expected = sample_ref(logits.data(), count, sampling, u);
    bool boundary = false;
    for (const double nudge : {-1e-5, 1e-5}) {
      boundary = boundary || sample_ref(logits.data(), count, sampling, u + nudge).id != expected.id;
      if (sampling.top_p == 1) continue;
      Sampling nudged = sampling;
      nudged.top_p += nudge;
      boundary = boundary || sample_ref(logits.data(), count, nudged, u).id != expected.id;
    }
    if (boundary) continue;
    ++compared;
    for (const CpuLevel level : {CpuLevel::portable, CpuLevel::avx2}) {
      if (level > cpu_features().level) continue;
      const Sampled got = sampler.sample(logits.data(), count, sampling, u, level);
      EXPECT_EQ(got.id, expected.id) << "seed " << seed << " level " << static_cast<int>(level);
      EXPECT_NEAR(got.logprob, expected.logprob, 1e-5f * (1 + std::fabs(expected.logprob))) << "seed " << seed;
    }
  }
  EXPECT_GT(compared, 350);
}

TEST(Sampler, becomes_greedy_as_the_temperature_falls) {
  const auto logits = random_logits(300, 11);
  Sampler sampler;
  const int32_t greedy = sampler.sample(logits.data(), 300, {0, 0, 1}, 0.5).id;
  for (const double temperature : {1e-6, 1e-10, 1e-300}) {
    for (const double u : {0.0, 0.5, 1.0 - 1e-16})
      EXPECT_EQ(sampler.sample(logits.data(), 300, {temperature, 0, 1}, u).id, greedy) << temperature << " " << u;
  }
  const std::vector<float> tie = {0.0f, 2.0f, 2.0f};
  EXPECT_EQ(sampler.sample(tie.data(), 3, {0, 0, 1}, 0.9).id, 1) << "the lowest id on ties";
}

TEST(Sampler, log_probability_is_of_the_raw_logits) {
  const std::vector<float> logits = {0.0f, 1.0f, 2.0f};
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  Sampler sampler;
  for (const Sampling& sampling : {Sampling{0, 0, 1}, Sampling{0.2, 0, 1}, Sampling{3, 1, 1}, Sampling{1, 0, 0.1}}) {
    const Sampled s = sampler.sample(logits.data(), 3, sampling, 0.2);
    EXPECT_NEAR(s.logprob, logits[static_cast<size_t>(s.id)] - std::log(sum), 1e-6);
  }
}

TEST(Sampler, a_forbidden_token_is_never_drawn) {
  std::vector<float> logits = {0.0f, -std::numeric_limits<float>::infinity(), 0.0f};
  EXPECT_EQ(histogram(logits, {5, 0, 1}, 3000)[1], 0);
  Sampler sampler;
  EXPECT_EQ(sampler.sample(logits.data(), 3, {1, 0, 1}, 1.0 - 0x1.0p-53).id, 2);
}

TEST(Sampler, damaged_logits_are_a_typed_error) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  Sampler sampler;
  for (const std::vector<float>& logits : {std::vector<float>{0, nan, 1}, {nan, 0, 0}, {0, infinity, 0}, {-infinity, -infinity, -infinity}}) {
    for (const double temperature : {0.0, 1.0}) {
      for (const bool reference : {false, true}) {
        try {
          if (reference) sample_ref(logits.data(), 3, {temperature, 0, 1}, 0.5);
          else sampler.sample(logits.data(), 3, {temperature, 0, 1}, 0.5);
          ADD_FAILURE() << "accepted";
        } catch (const Error& e) {
          EXPECT_EQ(e.status, XC_INVALID_FORMAT);
          EXPECT_EQ(e.field, "logits");
        }
      }
    }
  }
}

TEST(Sampler, options_outside_their_range_are_named) {
  const double nan = std::nan("");
  const std::vector<std::pair<Sampling, std::string>> cases = {
      {{-1, 0, 1}, "temperature"}, {{nan, 0, 1}, "temperature"},    {{HUGE_VAL, 0, 1}, "temperature"}, {{1, -1, 1}, "topK"},
      {{1, 0, 0}, "topP"},         {{1, 0, 1.5}, "topP"}, {{1, 0, nan}, "topP"}};
  for (const auto& [sampling, field] : cases) {
    try {
      check_sampling(sampling);
      ADD_FAILURE() << field;
    } catch (const Error& e) {
      EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
      EXPECT_EQ(e.field, field);
    }
  }
}

}  // namespace
}  // namespace xcore::llm
