#include "runtime/philox.hpp"

#include <gtest/gtest.h>

#include <vector>

using namespace xcore;

static std::vector<uint32_t> block(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  const Philox4x32 r = philox4x32_10(c0, c1, c2, c3, k0, k1);
  return {r.v[0], r.v[1], r.v[2], r.v[3]};
}

// Known answers published with Random123.
TEST(Philox, gives_the_published_known_answers) {
  EXPECT_EQ(block(0, 0, 0, 0, 0, 0), (std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(block(~0u, ~0u, ~0u, ~0u, ~0u, ~0u), (std::vector<uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0),
            (std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, a_position_is_reached_the_same_way_by_drawing_and_by_jumping) {
  Philox walked(7, 3);
  for (int i = 0; i < 1001; ++i) walked.next_u32();
  Philox jumped(7, 3, 1001);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(walked.next_u32(), jumped.next_u32());
}

TEST(Philox, streams_and_seeds_differ) {
  EXPECT_NE(Philox(1, 0).next_u64(), Philox(1, 1).next_u64());
  EXPECT_NE(Philox(1, 0).next_u64(), Philox(2, 0).next_u64());
}

TEST(Philox, uniform_and_normal_draws_have_their_moments) {
  Philox random(42);
  constexpr int n = 200000;
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.next_double(), z = random.next_normal();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u;
    squares += u * u;
    normal_sum += z;
    normal_squares += z * z;
  }
  // Five standard errors.
  EXPECT_NEAR(sum / n, 0.5, 5 * 0.2887 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1.0 / 3, 5 * 0.298 / std::sqrt(n));
  EXPECT_NEAR(normal_sum / n, 0.0, 5 / std::sqrt(n));
  EXPECT_NEAR(normal_squares / n, 1.0, 5 * 1.4143 / std::sqrt(n));
}

TEST(Philox, next_below_stays_below_and_is_even) {
  Philox random(5);
  int counts[7] = {};
  for (int i = 0; i < 70000; ++i) {
    const uint32_t v = random.next_below(7);
    ASSERT_LT(v, 7u);
    ++counts[v];
  }
  double chi2 = 0;
  for (const int c : counts) chi2 += (c - 10000.0) * (c - 10000.0) / 10000.0;
  EXPECT_LT(chi2, 27.9);  // 6 degrees of freedom, p = 1e-4
}
