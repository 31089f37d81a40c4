// out[t][r] = sum over c of W[r][c] * x[t][c], for t < tokens, r < rows; out and x are row-major and dense.
//
// F32, F16: products with the fp32 activations, accumulated in fp32 (columns any number >= 1).
// Q8_0, Q4_0: activations are quantised to int8 blocks of 32 first (quantize.hpp). Per block the integer sum s of
// q_w * q_x is exact in int32 (Q4_0: q_w = nibble - 8); out += (scale_w * scale_x) * s in fp32. Columns are a multiple
// of 32. The order of the fp32 additions is up to the backend, but never depends on the number of threads, and a
// token's result depends on the other tokens only through the choice of kernel: those for one token and for many
// may add in different orders.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "llm/model.hpp"
#include "llm/quantize/quantize.hpp"
#include "runtime/cpu_features.hpp"

namespace xcore::llm {

// Whether products with this type take quantised activations.
inline bool takes_quantized(gguf::TensorType type) {
  return type == gguf::TensorType::q8_0 || type == gguf::TensorType::q4_0;
}
bool matmul_supports(gguf::TensorType type);

// The same activations in both forms, so that q, k, v (or gate and up) share one quantisation. `quantized` is needed
// only for Q8_0 and Q4_0, `x` only for F32 and F16.
struct Activations {
  const float* x = nullptr;
  QuantizedRows quantized;
};
struct Product {
  const Matrix* w;
  float* out;  // [tokens x w->rows]
};

// Accumulates in double; quantises by quantize_rows_ref.
void matmul_ref(const Matrix& w, const float* x, int32_t tokens, float* out);

// Several products of one input in one dispatch: all have the same number of columns.
void matmul_cpu(std::initializer_list<Product> products, const Activations& x, int32_t tokens,
                CpuLevel level = cpu_features().level);
// One product; quantises by itself (allocates).
void matmul_cpu(const Matrix& w, const float* x, int32_t tokens, float* out,
                CpuLevel level = cpu_features().level);

}  // namespace xcore::llm
