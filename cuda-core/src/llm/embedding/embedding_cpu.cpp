#include <algorithm>

#include "llm/embedding/embedding.hpp"
#include "llm/half/half.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

static void expand_row(const Matrix& table, const uint8_t* row, float* out) {
  switch (table.type) {
    case gguf::TensorType::f32:
      std::memcpy(out, row, static_cast<size_t>(table.columns) * 4);
      break;
    case gguf::TensorType::f16:
      for (int32_t c = 0; c < table.columns; ++c) {
        uint16_t half;
        std::memcpy(&half, row + static_cast<size_t>(c) * 2, 2);
        out[c] = float_from_half(half);
      }
      break;
    case gguf::TensorType::q8_0:
      for (int32_t c = 0; c < table.columns; c += kBlock, row += sizeof(BlockQ8_0)) {
        BlockQ8_0 block;
        std::memcpy(&block, row, sizeof block);
        const float scale = float_from_half(block.scale);
        for (int i = 0; i < kBlock; ++i) out[c + i] = scale * static_cast<float>(block.q[i]);
      }
      break;
    default:  // Q4_0: load_model lets no other type through
      for (int32_t c = 0; c < table.columns; c += kBlock, row += sizeof(BlockQ4_0)) {
        BlockQ4_0 block;
        std::memcpy(&block, row, sizeof block);
        const float scale = float_from_half(block.scale);
        for (int i = 0; i < 16; ++i) {
          out[c + i] = scale * static_cast<float>((block.q[i] & 15) - 8);
          out[c + i + 16] = scale * static_cast<float>((block.q[i] >> 4) - 8);
        }
      }
  }
}

void embedding_cpu(const Matrix& table, const int32_t* ids, int32_t count, float* out) {
  const trace::OpTimer timer("llm.embedding", kCpu, static_cast<uint64_t>(count) * (table.row_bytes + static_cast<uint64_t>(table.columns) * 4));
  thread_pool().parallel_for(count, std::max(1, 65536 / table.columns), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      expand_row(table, table.data + static_cast<uint64_t>(ids[t]) * table.row_bytes, out + t * table.columns);
  });
}

}  // namespace xcore::llm
