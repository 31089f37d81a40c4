// Learning adds what was seen, where the model allows it, and fades what was forgotten.
#include <gtest/gtest.h>

#include <numeric>

#include "agent/dirichlet/dirichlet.hpp"
#include "agent/random_model_test.hpp"

using namespace xcore;
using namespace xcore::agent;
using namespace xcore::agent::testing;

namespace {

TEST(Dirichlet, one_observation_adds_the_learning_rate_for_each_modality) {
  const Model model = random_model(shapes()[3], 1);
  const auto beliefs = random_beliefs(model, 2);
  const auto observation = random_observation(model, 3);
  std::vector<double> counts(model.a_size, 2.0);
  learn_a(model, observation.data(), beliefs.data(), 0.5, 0.25, counts.data(), counts.size());
  EXPECT_NEAR(std::accumulate(counts.begin(), counts.end(), 0.0), model.a_size * 0.5 + 0.5 * model.modalities(), 1e-9);
}

TEST(Dirichlet, impossible_entries_stay_impossible) {
  const Model model = random_model(shapes()[1], 4, 0.5);
  const auto beliefs = random_beliefs(model, 5);
  std::vector<double> observation(model.outcome_total);
  for (int m = 0; m < model.modalities(); ++m) observation[model.outcome_offset[m]] = 1.0;
  std::vector<double> counts;
  for (const Likelihood& a : model.likelihoods) counts.insert(counts.end(), a.values.begin(), a.values.end());
  const std::vector<double> before = counts;
  learn_a(model, observation.data(), beliefs.data(), 1.0, 1.0, counts.data(), counts.size());
  int grown = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (before[i] == 0.0) {
      ASSERT_EQ(counts[i], 0.0);
    }
    if (counts[i] > before[i]) ++grown;
  }
  EXPECT_GT(grown, 0);
}

TEST(Dirichlet, transitions_are_learned_for_the_action_taken_alone) {
  const Model model = random_model(shapes()[0], 6);
  const auto now = random_beliefs(model, 7), before = random_beliefs(model, 8);
  std::vector<double> counts(model.b_size, 1.0);
  const int32_t action[] = {2};
  learn_b(model, action, now.data(), before.data(), 1.0, 1.0, counts.data(), counts.size());
  for (int s = 0; s < 4; ++s)
    for (int j = 0; j < 4; ++j)
      for (int u = 0; u < 3; ++u)
        ASSERT_NEAR(counts[(s * 4 + j) * 3 + u], 1.0 + (u == 2 ? now[s] * before[j] : 0.0), 1e-15);
  std::vector<double> mean(model.b_size);
  dirichlet_mean(model, XC_AGENT_B, counts.data(), counts.size(), mean.data());
  Model learned = model;
  EXPECT_NO_THROW(learned.set(XC_AGENT_B, mean.data(), mean.size()));
}

TEST(Dirichlet, refuses_counts_and_rates_out_of_range) {
  const Model model = random_model(shapes()[0], 9);
  const auto q = random_beliefs(model, 10);
  const auto o = random_observation(model, 11);
  std::vector<double> counts(model.a_size, 0.0), mean(model.a_size);
  EXPECT_THROW(dirichlet_mean(model, XC_AGENT_A, counts.data(), counts.size(), mean.data()), Error);
  EXPECT_THROW(learn_a(model, o.data(), q.data(), -1.0, 1.0, counts.data(), counts.size()), Error);
  EXPECT_THROW(learn_a(model, o.data(), q.data(), 1.0, 0.0, counts.data(), counts.size()), Error);
  EXPECT_THROW(learn_a(model, o.data(), q.data(), 1.0, 1.0, counts.data(), 3), Error);
  counts[0] = -1.0;
  EXPECT_THROW(learn_a(model, o.data(), q.data(), 1.0, 1.0, counts.data(), counts.size()), Error);
}

}  // namespace
