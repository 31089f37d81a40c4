#include "llm/rope/rope.hpp"

#include "llm/testing_cases.hpp"

namespace xcore::llm {
namespace {

void expect_reference(const RopeParameters& p, int32_t tokens, int32_t heads, int32_t head_dim, int32_t first) {
  const std::vector<float> x = testing::random_floats(static_cast<size_t>(tokens) * heads * head_dim, 1);
  std::vector<float> expected = x, actual = x, table(static_cast<size_t>(tokens) * p.dims);
  rope_ref(expected.data(), tokens, heads, head_dim, first, p);
  rope_table(rope_frequencies(p), first, tokens, table.data());
  rope_cpu(actual.data(), tokens, heads, head_dim, p.dims / 2, table.data());
  testing::expect_near(actual, expected, 1e-6);
}

TEST(Rope, matches_the_reference_near_and_far) {
  for (const int32_t first : {0, 1, 1000, 1000000}) expect_reference({64, 10000.0, 1.0, nullptr}, 5, 3, 64, first);
  expect_reference({128, 500000.0, 4.0, nullptr}, 7, 2, 128, 8000);
}

TEST(Rope, leaves_dimensions_beyond_the_rotated_ones) {
  expect_reference({12, 10000.0, 1.0, nullptr}, 3, 2, 20, 9);
  expect_reference({0, 10000.0, 1.0, nullptr}, 2, 2, 6, 9);
}

TEST(Rope, divides_each_frequency_by_its_factor) {
  const std::vector<float> factors = {1.0f, 2.0f, 8.0f, 32.0f};
  expect_reference({8, 10000.0, 1.0, factors.data()}, 4, 2, 8, 77);
}

TEST(Rope, turns_neighbouring_pairs) {
  float x[4] = {1, 0, 0, 1}, table[4];
  rope_table({1.57079632679489661923, 0.0}, 1, 1, table);  // a quarter turn, and none
  rope_cpu(x, 1, 1, 4, 2, table);
  EXPECT_NEAR(x[0], 0, 1e-6);
  EXPECT_NEAR(x[1], 1, 1e-6);
  EXPECT_EQ(x[2], 0);
  EXPECT_EQ(x[3], 1);
}

}  // namespace
}  // namespace xcore::llm
