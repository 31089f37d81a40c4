#include "llm/half/half.hpp"

#include <cmath>

#include "llm/half/half_rows.hpp"
#include "llm/testing_cases.hpp"
#include "llm/testing_levels.hpp"

namespace xcore::llm {
namespace {

TEST(Half, every_value_survives_the_way_to_fp32_and_back) {
  for (uint32_t h = 0; h < 65536; ++h) {
    const float x = float_from_half(static_cast<uint16_t>(h));
    const bool nan = (h & 0x7C00u) == 0x7C00u && (h & 0x3FFu) != 0;
    ASSERT_EQ(std::isnan(x), nan) << h;
    if (!nan) { ASSERT_EQ(half_from_float(x), h); }
  }
}

TEST(Half, values_are_those_of_the_standard) {
  EXPECT_EQ(float_from_half(0x3C00), 1.0f);
  EXPECT_EQ(float_from_half(0xC000), -2.0f);
  EXPECT_EQ(float_from_half(0x7BFF), 65504.0f);
  EXPECT_EQ(float_from_half(0x0001), 0x1.0p-24f);
  EXPECT_EQ(float_from_half(0x7C00), INFINITY);
}

TEST(Half, rounds_to_nearest_with_ties_to_even) {
  for (uint32_t h = 0; h < 0x7BFF; ++h) {  // between each pair of neighbours
    const double low = float_from_half(static_cast<uint16_t>(h)), high = float_from_half(static_cast<uint16_t>(h + 1));
    const float middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(half_from_float(middle), h % 2 == 0 ? h : h + 1) << h;
    ASSERT_EQ(half_from_float(std::nextafterf(middle, 0.0f)), h);
    ASSERT_EQ(half_from_float(std::nextafterf(middle, INFINITY)), h + 1);
  }
  EXPECT_EQ(half_from_float(65519.99f), 0x7BFF);
  EXPECT_EQ(half_from_float(65520.0f), 0x7C00);
  EXPECT_EQ(half_from_float(-1e30f), 0xFC00);
}

class HalfRows : public testing::LevelTest {};
TEST_P(HalfRows, gives_the_bits_of_the_scalar_conversion) {
  std::vector<float> x = testing::random_floats(1003, 1, 1e-3);
  for (const float extreme : {0.0f, -0.0f, 1e-8f, 70000.0f, -INFINITY, 65519.0f, 6e-8f}) x.push_back(extreme);
  std::vector<uint16_t> out(x.size());
  to_half_cpu(x.data(), static_cast<int64_t>(x.size()), out.data(), level());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(out[i], half_from_float(x[i])) << x[i];
}
XC_INSTANTIATE_LEVELS(HalfRows);

}  // namespace
}  // namespace xcore::llm
