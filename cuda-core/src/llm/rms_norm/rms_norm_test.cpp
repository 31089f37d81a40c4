#include "llm/rms_norm/rms_norm.hpp"

#include "llm/testing_cases.hpp"
#include "llm/testing_levels.hpp"

namespace xcore::llm {
namespace {

class RmsNorm : public testing::LevelTest {};

TEST_P(RmsNorm, matches_the_reference_on_odd_widths_too) {
  for (const int32_t width : {1, 7, 16, 64, 100, 513, 4096})
    for (const int32_t rows : {1, 5, 40}) {
      const std::vector<float> x = testing::random_floats(static_cast<size_t>(rows) * width, 1, 3.0), weight = testing::random_floats(static_cast<size_t>(width), 2);
      std::vector<float> expected(x.size()), actual(x.size());
      rms_norm_ref(x.data(), weight.data(), rows, width, 1e-5f, expected.data());
      rms_norm_cpu(x.data(), weight.data(), rows, width, 1e-5f, actual.data(), level());
      testing::expect_near(actual, expected, 1e-6);
      std::vector<float> in_place = x;
      rms_norm_cpu(in_place.data(), weight.data(), rows, width, 1e-5f, in_place.data(), level());
      EXPECT_EQ(in_place, actual);
    }
}

TEST_P(RmsNorm, epsilon_keeps_a_zero_row_finite) {
  const std::vector<float> x(24, 0.0f), weight(24, 1.0f);
  std::vector<float> out(24, 9.0f);
  rms_norm_cpu(x.data(), weight.data(), 1, 24, 1e-6f, out.data(), level());
  EXPECT_EQ(out, x);
}

XC_INSTANTIATE_LEVELS(RmsNorm);

}  // namespace
}  // namespace xcore::llm
