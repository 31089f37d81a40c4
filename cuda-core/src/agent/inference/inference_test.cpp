// Beliefs: Bayes' rule where it is exact, a free energy that never rises where it is not, refusal of the impossible.
#include <gtest/gtest.h>

#include <cmath>

#include "agent/inference/inference.hpp"
#include "agent/random_model_test.hpp"

using namespace xcore;
using namespace xcore::agent;
using namespace xcore::agent::testing;

namespace {

TEST(Inference, one_factor_is_bayes_rule_and_its_free_energy_the_surprise) {
  const Shape shape{{9}, {1}, {6, 4}, {{0}, {0}}, {{0}}};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Model model = random_model(shape, seed);
    const auto prior = random_beliefs(model, seed);
    const auto observation = random_observation(model, seed);
    std::vector<double> q(model.state_total), exact(model.state_total);
    const auto result = infer_cpu(model, observation.data(), prior.data(), {}, q.data());
    const double evidence = infer_exact_ref(model, observation.data(), prior.data(), exact.data());
    EXPECT_NEAR(result.free_energy, -evidence, 1e-10);
    EXPECT_EQ(result.sweeps, 1);
    for (size_t i = 0; i < q.size(); ++i) EXPECT_NEAR(q[i], exact[i], 1e-12);
  }
}

TEST(Inference, free_energy_never_rises_and_bounds_the_surprise_on_10000_random_models) {
  const auto all = shapes();
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    const Shape& shape = all[2 + seed % 2];
    const Model model = random_model(shape, seed, seed % 3 == 0 ? 0.3 : 0.0);
    const auto prior = random_beliefs(model, seed);
    const auto observation = random_observation(model, seed);
    std::vector<double> q(model.state_total), history;
    xc_agent_free_energy result;
    try {
      result = infer_cpu(model, observation.data(), prior.data(), {20, 0.0}, q.data(), &history);
    } catch (const Error& e) {  // a sparse A may make the observation impossible
      ASSERT_EQ(e.status, XC_INVALID_ARGUMENT);
      continue;
    }
    for (size_t i = 1; i < history.size(); ++i) ASSERT_LE(history[i], history[i - 1] + 1e-10) << "seed " << seed;
    std::vector<double> exact(model.state_total);
    ASSERT_GE(result.free_energy, -infer_exact_ref(model, observation.data(), prior.data(), exact.data()) - 1e-9);
    ASSERT_NEAR(result.free_energy, free_energy_ref(model, observation.data(), prior.data(), q.data()), 1e-9);
    ASSERT_NEAR(result.free_energy, result.complexity - result.accuracy, 1e-12);
  }
}

TEST(Inference, an_unobserved_modality_says_nothing) {
  const Model model = random_model(shapes()[1], 5);
  const auto prior = random_beliefs(model, 5);
  std::vector<double> observation(model.outcome_total, 0.0), q(model.state_total);
  const auto nothing = infer_cpu(model, observation.data(), prior.data(), {}, q.data());
  for (size_t i = 0; i < q.size(); ++i) EXPECT_NEAR(q[i], prior[i], 1e-13);
  EXPECT_NEAR(nothing.free_energy, 0.0, 1e-12);
}

TEST(Inference, impossible_observations_are_named) {
  const Shape shape{{2}, {1}, {2}, {{0}}, {{0}}};
  Model model = random_model(shape, 1);
  const double a[] = {1, 1, 0, 0}, prior[] = {0.5, 0.5}, observation[] = {0, 1};
  model.set(XC_AGENT_A, a, 4);
  double q[2];
  try {
    infer_cpu(model, observation, prior, {}, q);
    FAIL() << "an outcome of probability 0 was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
    EXPECT_EQ(e.field, "observation[0]");
  }
}

TEST(Model, refuses_arrays_that_are_no_distributions_and_keeps_the_old_ones) {
  const Shape shape{{2, 3}, {1, 2}, {2}, {{0, 1}}, {{0}, {1}}};
  Model model = random_model(shape, 3);
  const auto before = model.likelihoods[0].values;
  std::vector<double> a = before;
  a[4] += 0.01;
  try {
    model.set(XC_AGENT_A, a.data(), a.size());
    FAIL() << "a column that sums to 1.01 was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.field, "A[0]");
    EXPECT_NE(std::string(e.what()).find("column 4"), std::string::npos) << e.what();
  }
  a[4] = NAN;
  EXPECT_THROW(model.set(XC_AGENT_A, a.data(), a.size()), Error);
  a[4] = -0.1;
  EXPECT_THROW(model.set(XC_AGENT_A, a.data(), a.size()), Error);
  EXPECT_THROW(model.set(XC_AGENT_A, a.data(), 3), Error);
  EXPECT_EQ(model.likelihoods[0].values, before);
}

TEST(Model, refuses_hostile_shapes) {
  const int32_t states[] = {1 << 20, 1 << 20}, controls[] = {1, 1}, outcomes[] = {4}, counts[] = {2}, one[] = {1, 1};
  const int32_t both[] = {0, 1}, beyond[] = {0, 7}, twice[] = {0, 0};
  xc_agent_model_spec spec{};
  spec.factors = 2;
  spec.modalities = 1;
  spec.states = states;
  spec.controls = controls;
  spec.outcomes = outcomes;
  spec.a_dependency_counts = counts;
  spec.a_dependencies = both;
  spec.a_dependencies_size = 2;
  spec.b_dependency_counts = one;
  spec.b_dependencies = both;
  spec.b_dependencies_size = 2;
  spec.preference_steps = 1;
  try {
    Model model(spec);
    FAIL() << "an array of 2^42 values was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_LIMIT_EXCEEDED);
  }
  spec.a_dependencies = beyond;
  EXPECT_THROW(Model{spec}, Error);
  spec.a_dependencies = twice;
  EXPECT_THROW(Model{spec}, Error);
  spec.a_dependencies_size = 1;
  EXPECT_THROW(Model{spec}, Error);
  spec.factors = 0;
  EXPECT_THROW(Model{spec}, Error);
}

}  // namespace
