#include "llm/matmul/matmul.hpp"

#include "llm/testing_cases.hpp"
#include "llm/testing_levels.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {
namespace {

using namespace testing;
using gguf::TensorType;

class Matmul : public LevelTest {};

TEST_P(Matmul, matches_the_reference_for_every_type_and_shape) {
  for (const MatmulCase& c : matmul_cases()) {
    SCOPED_TRACE(::testing::Message() << "type " << static_cast<int>(c.type) << " rows " << c.rows << " columns " << c.columns << " tokens " << c.tokens);
    const OwnedMatrix w = random_matrix(c.type, c.rows, c.columns, 7);
    const std::vector<float> x = random_floats(static_cast<size_t>(c.tokens) * c.columns, 8);
    std::vector<float> expected(static_cast<size_t>(c.tokens) * c.rows), actual(expected.size(), NAN);
    matmul_ref(w.matrix, x.data(), c.tokens, expected.data());
    matmul_cpu(w.matrix, x.data(), c.tokens, actual.data(), level());
    expect_near(actual, expected, 2e-5);
    if (HasFailure()) return;
  }
}

TEST_P(Matmul, handles_more_columns_and_tokens_than_fit_a_panel) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0})
    for (const int32_t tokens : {1, 11, 150, 523}) {
      const OwnedMatrix w = random_matrix(type, 20, 2144, 3);
      const std::vector<float> x = random_floats(static_cast<size_t>(tokens) * 2144, 4);
      std::vector<float> expected(static_cast<size_t>(tokens) * 20), actual(expected.size(), NAN);
      matmul_ref(w.matrix, x.data(), tokens, expected.data());
      matmul_cpu(w.matrix, x.data(), tokens, actual.data(), level());
      expect_near(actual, expected, 5e-5);
    }
}

// The largest products the formats allow: bytes of -128 and 127, nibbles of 0 and 15, activations at full scale.
TEST_P(Matmul, does_not_saturate_at_the_extremes_of_the_formats) {
  for (const TensorType type : {TensorType::q8_0, TensorType::q4_0})
    for (const uint8_t byte : {0x00, 0x7F, 0x80, 0xFF})
      for (const float sign : {1.0f, -1.0f})
        for (const int32_t tokens : {1, 9, 19}) {
          OwnedMatrix w = random_matrix(type, 17, 128, 5);
          const size_t block = type == TensorType::q8_0 ? 34 : 18;
          for (size_t i = 0; i < w.bytes.size(); ++i)
            if (i % block >= 2) w.bytes[i] = byte;
          const std::vector<float> x(static_cast<size_t>(tokens) * 128, sign);
          std::vector<float> expected(static_cast<size_t>(tokens) * 17), actual(expected.size());
          matmul_ref(w.matrix, x.data(), tokens, expected.data());
          matmul_cpu(w.matrix, x.data(), tokens, actual.data(), level());
          expect_near(actual, expected, 1e-5);
        }
}

TEST_P(Matmul, several_products_share_one_input_and_one_dispatch) {
  const OwnedMatrix a = random_matrix(TensorType::q8_0, 70, 96, 1), b = random_matrix(TensorType::f16, 5, 96, 2),
                    c = random_matrix(TensorType::q4_0, 33, 96, 3);
  for (const int32_t tokens : {1, 6, 21}) {
    const std::vector<float> x = random_floats(static_cast<size_t>(tokens) * 96, 9);
    std::vector<int8_t> q(x.size());
    std::vector<float> scale(x.size() / 32);
    quantize_rows_ref(x.data(), tokens, 96, {q.data(), scale.data()});
    std::vector<float> out[3], expected;
    const OwnedMatrix* all[3] = {&a, &b, &c};
    for (int i = 0; i < 3; ++i) out[i].resize(static_cast<size_t>(tokens) * all[i]->matrix.rows);
    matmul_cpu({{&a.matrix, out[0].data()}, {&b.matrix, out[1].data()}, {&c.matrix, out[2].data()}}, {x.data(), {q.data(), scale.data()}}, tokens, level());
    for (int i = 0; i < 3; ++i) {
      expected.assign(out[i].size(), 0);
      matmul_ref(all[i]->matrix, x.data(), tokens, expected.data());
      expect_near(out[i], expected, 2e-5);
    }
  }
}

TEST_P(Matmul, gives_the_same_bits_on_any_number_of_threads) {
  const int before = thread_pool().threads();
  for (const TensorType type : {TensorType::f32, TensorType::q4_0})
    for (const int32_t tokens : {1, 13, 27}) {
      const OwnedMatrix w = random_matrix(type, 1000, 512, 7);
      const std::vector<float> x = random_floats(static_cast<size_t>(tokens) * 512, 8);
      std::vector<float> one(static_cast<size_t>(tokens) * 1000), many(one.size());
      thread_pool().set_threads(1);
      matmul_cpu(w.matrix, x.data(), tokens, one.data(), level());
      thread_pool().set_threads(5);
      matmul_cpu(w.matrix, x.data(), tokens, many.data(), level());
      EXPECT_EQ(one, many);
    }
  thread_pool().set_threads(before);
}

TEST_P(Matmul, a_tokens_result_does_not_depend_on_the_tokens_beside_it) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    const OwnedMatrix w = random_matrix(type, 40, 1088, 7);
    const std::vector<float> x = random_floats(29 * 1088, 8);
    std::vector<float> all(29 * 40), some(11 * 40);
    matmul_cpu(w.matrix, x.data(), 29, all.data(), level());
    matmul_cpu(w.matrix, x.data(), 11, some.data(), level());
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
  }
}

XC_INSTANTIATE_LEVELS(Matmul);

}  // namespace
}  // namespace xcore::llm
