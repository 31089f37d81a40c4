#include "llm/embedding/embedding.hpp"

#include "llm/testing_cases.hpp"

namespace xcore::llm {
namespace {

using gguf::TensorType;

TEST(Embedding, gives_the_bits_of_the_reference_for_every_type) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    const testing::OwnedMatrix table = testing::random_matrix(type, 50, 96, 1);
    std::vector<int32_t> ids;
    for (int32_t i = 0; i < 777; ++i) ids.push_back(i * 7 % 50);
    std::vector<float> expected(ids.size() * 96), actual(ids.size() * 96);
    embedding_ref(table.matrix, ids.data(), static_cast<int32_t>(ids.size()), expected.data());
    embedding_cpu(table.matrix, ids.data(), static_cast<int32_t>(ids.size()), actual.data());
    EXPECT_EQ(actual, expected);
  }
}

TEST(Embedding, a_q4_0_block_holds_low_nibbles_first_then_high_ones) {
  std::vector<uint8_t> bytes(18, 0x98);  // low nibble 8: 0, high nibble 9: 1
  bytes[0] = 0x00;
  bytes[1] = 0xC0;  // scale -2
  const Matrix table{bytes.data(), TensorType::q4_0, 1, 32, 18};
  const int32_t id = 0;
  std::vector<float> out(32);
  embedding_cpu(table, &id, 1, out.data());
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], i < 16 ? -0.0f : -2.0f);
}

}  // namespace
}  // namespace xcore::llm
