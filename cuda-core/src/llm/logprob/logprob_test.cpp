#include "llm/logprob/logprob.hpp"

#include "llm/testing_cases.hpp"
#include "llm/testing_levels.hpp"

namespace xcore::llm {
namespace {

class Logprob : public testing::LevelTest {
 protected:
  void expect_reference(const std::vector<float>& logits) {
    const int32_t count = static_cast<int32_t>(logits.size());
    const BestToken expected = best_token_ref(logits.data(), count), actual = best_token_cpu(logits.data(), count, level());
    EXPECT_EQ(actual.id, expected.id);
    EXPECT_EQ(std::isnan(actual.logprob), std::isnan(expected.logprob));
    if (!std::isnan(expected.logprob)) EXPECT_NEAR(actual.logprob, expected.logprob, 1e-5);
    std::vector<float> all(logits.size()), all_ref(logits.size());
    log_softmax_cpu(logits.data(), count, all.data(), level());
    log_softmax_ref(logits.data(), count, all_ref.data());
    for (size_t i = 0; i < all.size(); ++i) {
      if (std::isnan(all_ref[i])) {
        ASSERT_TRUE(std::isnan(all[i])) << i;
      } else if (std::isinf(all_ref[i])) {
        ASSERT_EQ(all[i], all_ref[i]) << i;
      } else {
        ASSERT_NEAR(all[i], all_ref[i], 1e-5 * (1 + std::abs(all_ref[i]))) << i;
      }
    }
    if (!std::isnan(actual.logprob)) EXPECT_EQ(all[static_cast<size_t>(actual.id)], actual.logprob);
  }
};

TEST_P(Logprob, matches_the_reference_for_small_and_large_vocabularies) {
  for (const size_t count : {1u, 2u, 7u, 8u, 9u, 512u, 32000u, 128256u})
    for (const double deviation : {0.001, 3.0, 200.0}) expect_reference(testing::random_floats(count, count, deviation));
}

TEST_P(Logprob, takes_the_lowest_id_among_equals) {
  std::vector<float> logits = testing::random_floats(1000, 1);
  for (const size_t place : {999u, 640u, 313u}) {
    logits[place] = 50.0f;
    EXPECT_EQ(best_token_cpu(logits.data(), 1000, level()).id, static_cast<int32_t>(place));
    expect_reference(logits);
  }
}

TEST_P(Logprob, one_nan_makes_the_log_probability_nan) {
  std::vector<float> logits = testing::random_floats(100, 1);
  logits[0] = logits[50] = logits[99] = NAN;
  logits[3] = -INFINITY;
  expect_reference(logits);
  EXPECT_TRUE(std::isnan(best_token_cpu(logits.data(), 100, level()).logprob));
  expect_reference(std::vector<float>(20, NAN));
  expect_reference(std::vector<float>(20, -INFINITY));
  logits[7] = logits[60] = INFINITY;
  expect_reference(logits);
}

XC_INSTANTIATE_LEVELS(Logprob);

}  // namespace
}  // namespace xcore::llm
