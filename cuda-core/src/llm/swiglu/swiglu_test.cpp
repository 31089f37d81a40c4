#include "llm/swiglu/swiglu.hpp"

#include "llm/testing_cases.hpp"
#include "llm/testing_levels.hpp"

namespace xcore::llm {
namespace {

class Swiglu : public testing::LevelTest {};

TEST_P(Swiglu, matches_the_reference_over_the_whole_range) {
  for (const double deviation : {0.01, 1.0, 30.0, 1000.0}) {
    const std::vector<float> gate = testing::random_floats(70003, 1, deviation), up = testing::random_floats(70003, 2);
    std::vector<float> expected(gate.size()), actual(gate.size());
    swiglu_ref(gate.data(), up.data(), static_cast<int64_t>(gate.size()), expected.data());
    swiglu_cpu(gate.data(), up.data(), static_cast<int64_t>(gate.size()), actual.data(), level());
    testing::expect_near(actual, expected, 1e-6);
    std::vector<float> in_place = gate;
    swiglu_cpu(in_place.data(), up.data(), static_cast<int64_t>(gate.size()), in_place.data(), level());
    EXPECT_EQ(in_place, actual);
  }
}

TEST_P(Swiglu, a_nan_is_not_swallowed) {
  const std::vector<float> gate(9, NAN), up(9, 1.0f);
  std::vector<float> out(9);
  swiglu_cpu(gate.data(), up.data(), 9, out.data(), level());
  for (const float x : out) EXPECT_TRUE(std::isnan(x));
}

XC_INSTANTIATE_LEVELS(Swiglu);

}  // namespace
}  // namespace xcore::llm
