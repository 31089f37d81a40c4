#include "llm/embedding/embedding_cuda.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

using gguf::TensorType;
class EmbeddingCuda : public testing::CudaOp {};

// Also the test of the planes that weights are repacked into: every element of every row comes back.
TEST_F(EmbeddingCuda, gives_the_bits_of_the_reference_for_every_type) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0})
    for (const int32_t columns : {takes_quantized(type) ? 32 : 1, takes_quantized(type) ? 96 : 172, 512}) {
      const int32_t rows = 77;
      const auto table = testing::random_matrix(type, rows, columns, 31);
      std::vector<int32_t> ids;
      for (int32_t i = 0; i < rows; ++i) ids.push_back((i * 5 + 76) % rows);
      std::vector<float> expected(ids.size() * static_cast<size_t>(columns));
      embedding_ref(table.matrix, ids.data(), rows, expected.data());
      testing::UploadedMatrix uploaded(table.matrix, stream());
      const auto device_ids = upload(ids);
      auto out = poisoned<float>(expected.size());
      embedding_cuda(uploaded.matrix, device_ids.data(), rows, out.data(), stream());
      EXPECT_EQ(download(out), expected) << "type " << static_cast<int>(type) << ", " << columns << " columns";
    }
}

// More bytes than the two upload buffers hold, so that each is filled again while copies are under way.
TEST_F(EmbeddingCuda, finds_every_row_of_a_table_larger_than_the_upload_buffers) {
  for (const TensorType type : {TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    const int32_t columns = type == TensorType::f16 ? 1001 : 1024;
    const int32_t rows = type == TensorType::q4_0 ? 180000 : type == TensorType::q8_0 ? 95000 : 52000;
    const gguf::TypeTraits& traits = *gguf::type_traits(static_cast<uint32_t>(type));
    const uint64_t row_bytes = static_cast<uint64_t>(columns) / traits.block_size * traits.block_bytes;
    std::vector<uint8_t> bytes(static_cast<size_t>(rows) * row_bytes);
    uint32_t state = 1;
    for (uint8_t& b : bytes) b = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 26);  // < 64: finite halves
    const Matrix table{bytes.data(), type, rows, columns, row_bytes};
    std::vector<int32_t> ids;
    for (int32_t i = 0; i < 500; ++i) ids.push_back(static_cast<int32_t>(static_cast<int64_t>(i) * (rows - 1) / 499));
    std::vector<float> expected(ids.size() * static_cast<size_t>(columns));
    embedding_ref(table, ids.data(), static_cast<int32_t>(ids.size()), expected.data());
    testing::UploadedMatrix uploaded(table, stream());
    const auto device_ids = upload(ids);
    auto out = poisoned<float>(expected.size());
    embedding_cuda(uploaded.matrix, device_ids.data(), static_cast<int32_t>(ids.size()), out.data(), stream());
    const auto actual = download(out);
    size_t wrong = 0;
    for (size_t i = 0; i < actual.size(); ++i) wrong += std::memcmp(&actual[i], &expected[i], 4) != 0;
    EXPECT_EQ(wrong, 0u) << "type " << static_cast<int>(type);
  }
}

}  // namespace
}  // namespace xcore::llm
