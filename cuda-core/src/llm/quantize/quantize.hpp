// Activations to int8 in blocks of 32, the right-hand side of Q8_0 and Q4_0 products.
//
// Per block: m = max |x|; when m < 2^-100 (or the block is zero) scale = 0 and all q = 0; else scale = m / 127 and
// q = x * (127 / m), rounded to nearest, ties to even, so |q| <= 127. Both divisions are single-precision and correctly
// rounded and the product is not fused: every level of the CPU and CUDA give the same bits.
// Columns are a multiple of 32. Non-finite inputs give unspecified values.
#pragma once

#include <cstdint>

#include "runtime/cpu_features.hpp"

namespace xcore::llm {

// Struct of arrays: q[row * columns + c], scale[row * (columns / 32) + c / 32].
struct QuantizedRows {
  int8_t* q = nullptr;
  float* scale = nullptr;
};

void quantize_rows_ref(const float* x, int64_t rows, int32_t columns, QuantizedRows out);
void quantize_rows_cpu(const float* x, int64_t rows, int32_t columns, QuantizedRows out,
                       CpuLevel level = cpu_features().level);

}  // namespace xcore::llm
