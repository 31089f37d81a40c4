#include <vector>

#include "llm/half/half.hpp"
#include "llm/matmul/matmul.hpp"

namespace xcore::llm {

using gguf::TensorType;

static double product_of_floats(const Matrix& w, int32_t r, const float* x) {
  const uint8_t* row = w.data + static_cast<uint64_t>(r) * w.row_bytes;
  double sum = 0;
  for (int32_t c = 0; c < w.columns; ++c) {
    float weight;
    if (w.type == TensorType::f32) {
      std::memcpy(&weight, row + static_cast<size_t>(c) * 4, 4);
    } else {
      uint16_t half;
      std::memcpy(&half, row + static_cast<size_t>(c) * 2, 2);
      weight = float_from_half(half);
    }
    sum += static_cast<double>(weight) * x[c];
  }
  return sum;
}

static double product_of_blocks(const Matrix& w, int32_t r, const int8_t* q, const float* scale) {
  const uint8_t* row = w.data + static_cast<uint64_t>(r) * w.row_bytes;
  double sum = 0;
  for (int32_t b = 0; b < w.columns / kBlock; ++b, q += kBlock) {
    int32_t dot = 0;
    uint16_t half;
    if (w.type == TensorType::q8_0) {
      BlockQ8_0 block;
      std::memcpy(&block, row + static_cast<size_t>(b) * sizeof block, sizeof block);
      for (int i = 0; i < kBlock; ++i) dot += block.q[i] * q[i];
      half = block.scale;
    } else {
      BlockQ4_0 block;
      std::memcpy(&block, row + static_cast<size_t>(b) * sizeof block, sizeof block);
      for (int i = 0; i < 16; ++i) dot += ((block.q[i] & 15) - 8) * q[i] + ((block.q[i] >> 4) - 8) * q[i + 16];
      half = block.scale;
    }
    sum += static_cast<double>(float_from_half(half)) * scale[b] * dot;
  }
  return sum;
}

void matmul_ref(const Matrix& w, const float* x, int32_t tokens, float* out) {
  std::vector<int8_t> q;
  std::vector<float> scale;
  const bool blocks = takes_quantized(w.type);
  if (blocks) {
    q.resize(static_cast<size_t>(tokens) * w.columns);
    scale.resize(q.size() / kBlock);
    quantize_rows_ref(x, tokens, w.columns, {q.data(), scale.data()});
  }
  for (int64_t t = 0; t < tokens; ++t)
    for (int32_t r = 0; r < w.rows; ++r)
      out[t * w.rows + r] = static_cast<float>(
          blocks ? product_of_blocks(w, r, q.data() + t * w.columns, scale.data() + t * (w.columns / kBlock))
                 : product_of_floats(w, r, x + t * w.columns));
}

}  // namespace xcore::llm
