#include "llm/embedding/embedding.hpp"
#include "llm/half/half.hpp"

namespace xcore::llm {

void embedding_ref(const Matrix& table, const int32_t* ids, int32_t count, float* out) {
  for (int64_t t = 0; t < count; ++t) {
    const uint8_t* row = table.data + static_cast<uint64_t>(ids[t]) * table.row_bytes;
    for (int32_t c = 0; c < table.columns; ++c) {
      float value;
      if (table.type == gguf::TensorType::f32) {
        std::memcpy(&value, row + static_cast<size_t>(c) * 4, 4);
      } else if (table.type == gguf::TensorType::f16) {
        uint16_t half;
        std::memcpy(&half, row + static_cast<size_t>(c) * 2, 2);
        value = float_from_half(half);
      } else if (table.type == gguf::TensorType::q8_0) {
        BlockQ8_0 block;
        std::memcpy(&block, row + static_cast<size_t>(c / kBlock) * sizeof block, sizeof block);
        value = float_from_half(block.scale) * static_cast<float>(block.q[c % kBlock]);
      } else {
        BlockQ4_0 block;
        std::memcpy(&block, row + static_cast<size_t>(c / kBlock) * sizeof block, sizeof block);
        const int j = c % kBlock;
        const int nibble = j < 16 ? block.q[j] & 15 : block.q[j - 16] >> 4;
        value = float_from_half(block.scale) * static_cast<float>(nibble - 8);
      }
      out[t * table.columns + c] = value;
    }
  }
}

}  // namespace xcore::llm
