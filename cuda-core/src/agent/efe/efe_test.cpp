// Expected free energy on every backend against the definition.
#include <gtest/gtest.h>

#include "agent/efe/efe.hpp"
#include "agent/policy/policy.hpp"
#include "agent/random_model_test.hpp"
#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::agent;
using namespace xcore::agent::testing;

namespace {

class ExpectedFreeEnergy : public xcore::testing::BackendTest {
 protected:
  void evaluate(const Model& model, const double* beliefs, const Policies& policies, double* utility, double* gain) const {
    if (!on_cuda()) return efe_cpu(model, beliefs, policies, utility, gain);
#if XCORE_CUDA
    efe_cuda(0, model, beliefs, policies, utility, gain);
#endif
  }
};

TEST_P(ExpectedFreeEnergy, equals_the_definition) {
  for (const Shape& shape : shapes()) {
    for (const double zeros : {0.0, 0.5}) {
      const Model model = random_model(shape, 11, zeros);
      const auto beliefs = random_beliefs(model, 12, zeros);
      const int64_t count = model.state_total > 100 ? 20 : 300;
      const auto actions = random_policies(model, count, 5, 13);
      const Policies policies{actions.data(), count, 5};
      std::vector<double> u(count), g(count), ref_u(count), ref_g(count);
      efe_ref(model, beliefs.data(), policies, ref_u.data(), ref_g.data());
      evaluate(model, beliefs.data(), policies, u.data(), g.data());
      for (int64_t p = 0; p < count; ++p) {
        ASSERT_NEAR(u[p], ref_u[p], 1e-9) << "policy " << p;
        ASSERT_NEAR(g[p], ref_g[p], 1e-9) << "policy " << p;
        ASSERT_GE(g[p], -1e-9);  // a mutual information
      }
    }
  }
}

TEST_P(ExpectedFreeEnergy, does_not_depend_on_the_order_of_policies) {
  const Model model = random_model(shapes()[3], 21);
  const auto beliefs = random_beliefs(model, 22);
  const auto actions = random_policies(model, 200, 4, 23);
  const int width = 4 * model.factors();
  std::vector<int32_t> reversed;
  for (int p = 199; p >= 0; --p) reversed.insert(reversed.end(), actions.begin() + p * width, actions.begin() + (p + 1) * width);
  std::vector<double> u(200), g(200), ru(200), rg(200);
  evaluate(model, beliefs.data(), {actions.data(), 200, 4}, u.data(), g.data());
  evaluate(model, beliefs.data(), {reversed.data(), 200, 4}, ru.data(), rg.data());
  for (int p = 0; p < 200; ++p) {
    ASSERT_EQ(u[p], ru[199 - p]);
    ASSERT_EQ(g[p], rg[199 - p]);
  }
}

XC_INSTANTIATE_BACKENDS(ExpectedFreeEnergy);

TEST(ExpectedFreeEnergyCpu, gives_the_same_bits_on_any_number_of_threads) {
  const Model model = random_model(shapes()[4], 31);
  const auto beliefs = random_beliefs(model, 32);
  const auto actions = random_policies(model, 500, 4, 33);
  std::vector<double> u1(500), g1(500), u4(500), g4(500);
  const int before = thread_pool().threads();
  thread_pool().set_threads(1);
  efe_cpu(model, beliefs.data(), {actions.data(), 500, 4}, u1.data(), g1.data());
  thread_pool().set_threads(4);
  efe_cpu(model, beliefs.data(), {actions.data(), 500, 4}, u4.data(), g4.data());
  thread_pool().set_threads(before);
  EXPECT_EQ(u1, u4);
  EXPECT_EQ(g1, g4);
}

TEST(ExpectedFreeEnergyCpu, stops_when_cancelled) {
  const Model model = random_model(shapes()[4], 41);
  const auto beliefs = random_beliefs(model, 42);
  const auto actions = random_policies(model, 100, 3, 43);
  const int32_t cancel = 1;
  const xc_control control{&cancel, nullptr, nullptr};
  std::vector<double> u(100), g(100);
  try {
    efe_cpu(model, beliefs.data(), {actions.data(), 100, 3}, u.data(), g.data(), Control(&control));
    FAIL() << "a cancelled call went through";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_CANCELLED);
  }
}

TEST(Policy, posterior_weighs_habit_and_expected_free_energy) {
  const double g[] = {1.0, 2.0, 1.5}, habit[] = {1.0, 3.0, 0.0};
  double p[3];
  policy_posterior(g, habit, 3, 2.0, p);
  EXPECT_NEAR(p[0], 1.0 / (1.0 + 3.0 * std::exp(-2.0)), 1e-15);
  EXPECT_EQ(p[2], 0.0);
  policy_posterior(g, nullptr, 3, 0.0, p);
  EXPECT_NEAR(p[1], 1.0 / 3.0, 1e-15);
  const double none[] = {0.0, 0.0, 0.0}, bad[] = {1.0, NAN, 1.0};
  EXPECT_THROW(policy_posterior(g, none, 3, 1.0, p), Error);
  EXPECT_THROW(policy_posterior(bad, nullptr, 3, 1.0, p), Error);
  EXPECT_THROW(policy_posterior(g, nullptr, 3, -1.0, p), Error);
  EXPECT_THROW(policy_posterior(g, nullptr, 0, 1.0, p), Error);
}

TEST(Policy, draws_follow_the_distribution_and_repeat_with_their_seed) {
  const double p[] = {0.0, 1.0, 3.0, 0.0};
  int counts[4] = {};
  for (int i = 0; i < 4000; ++i) {
    const int64_t k = draw(p, 4, 7, 1, i);
    ASSERT_EQ(k, draw(p, 4, 7, 1, i));
    ++counts[k];
  }
  EXPECT_EQ(counts[0] + counts[3], 0);
  EXPECT_NEAR(counts[1], 1000, 150);  // 5.5 standard deviations
  const double bad[] = {-1.0, 2.0}, none[] = {0.0};
  EXPECT_THROW(draw(bad, 2, 0, 0, 0), Error);
  EXPECT_THROW(draw(none, 1, 0, 0, 0), Error);
}

TEST(Policy, actions_beyond_the_model_are_refused_before_they_index) {
  const Model model = random_model(shapes()[2], 51);
  const int32_t actions[] = {0, 0, 1, 1};
  try {
    check_policies(model, actions, 2, 1);
    FAIL() << "factor 1 has one action, not two";
  } catch (const Error& e) {
    EXPECT_EQ(e.field, "policies");
  }
}

}  // namespace
