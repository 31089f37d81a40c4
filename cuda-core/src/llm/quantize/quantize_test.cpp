#include "llm/quantize/quantize.hpp"

#include "llm/testing_cases.hpp"
#include "llm/testing_levels.hpp"

namespace xcore::llm {
namespace {

class Quantize : public testing::LevelTest {
 protected:
  void expect_bits_of_the_reference(const std::vector<float>& x, int64_t rows, int32_t columns) {
    std::vector<int8_t> q(x.size()), q_ref(x.size());
    std::vector<float> scale(x.size() / 32), scale_ref(x.size() / 32);
    quantize_rows_cpu(x.data(), rows, columns, {q.data(), scale.data()}, level());
    quantize_rows_ref(x.data(), rows, columns, {q_ref.data(), scale_ref.data()});
    EXPECT_EQ(q, q_ref);
    EXPECT_EQ(scale, scale_ref);
  }
};

TEST_P(Quantize, gives_the_bits_of_the_reference) {
  for (const double deviation : {1e-20, 1e-3, 1.0, 1e4, 1e30})
    expect_bits_of_the_reference(testing::random_floats(37 * 352, 3, deviation), 37, 352);
  expect_bits_of_the_reference(testing::random_floats(300 * 1024, 4), 300, 1024);  // enough for several threads
}

TEST_P(Quantize, ties_go_to_the_even_neighbour) {
  std::vector<float> x(32);
  for (int i = 0; i < 32; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i) + 0.5f;  // scale 1: 127 is in the block
  x[31] = 127.0f;
  std::vector<int8_t> q(32);
  float scale;
  quantize_rows_cpu(x.data(), 1, 32, {q.data(), &scale}, level());
  EXPECT_EQ(scale, 1.0f);
  for (int i = 0; i < 31; ++i) EXPECT_EQ(q[static_cast<size_t>(i)], (i + 1) / 2 * 2) << i;
  expect_bits_of_the_reference(x, 1, 32);
}

TEST_P(Quantize, zero_and_vanishing_blocks_become_zero) {
  std::vector<float> x(64, 0.0f);
  for (size_t i = 32; i < 64; ++i) x[i] = 1e-36f;
  std::vector<int8_t> q(64, 99);
  std::vector<float> scale(2, 99.0f);
  quantize_rows_cpu(x.data(), 1, 64, {q.data(), scale.data()}, level());
  EXPECT_EQ(q, std::vector<int8_t>(64, 0));
  EXPECT_EQ(scale, std::vector<float>(2, 0.0f));
}

TEST_P(Quantize, is_within_half_a_step_of_the_input) {
  const std::vector<float> x = testing::random_floats(4096, 5);
  std::vector<int8_t> q(4096);
  std::vector<float> scale(128);
  quantize_rows_cpu(x.data(), 1, 4096, {q.data(), scale.data()}, level());
  for (size_t i = 0; i < 4096; ++i) ASSERT_LE(std::abs(x[i] - static_cast<float>(q[i]) * scale[i / 32]), 0.5001f * scale[i / 32]);
}

XC_INSTANTIATE_LEVELS(Quantize);

}  // namespace
}  // namespace xcore::llm
