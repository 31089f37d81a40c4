// rope.hpp on the GPU, and what follows it: keys and values rounded to binary16 into the cache.
#pragma once

#include "llm/matmul/matmul_cuda.hpp"
#include "llm/rope/rope.hpp"

namespace xcore::llm {

// The pair (a, b) turned; the products are rounded one by one, as on the CPU.
__device__ __forceinline__ float2 rotated(float a, float b, float cosine, float sine) {
  return make_float2(__fsub_rn(__fmul_rn(a, cosine), __fmul_rn(b, sine)),
                     __fadd_rn(__fmul_rn(a, sine), __fmul_rn(b, cosine)));
}

// cos and sin of positions 0..count - 1 into cos_sin [count][pairs][2], angles reduced in double precision.
void rope_table_cuda(const double* frequencies, int32_t pairs, int32_t count, float* cos_sin, cudaStream_t stream);

// Rotates q [tokens][heads][head_dim] in place, writes rotated k and plain v [tokens][kv_heads][head_dim] to the cache.
// The table of `rope` and the cache reach past the last token's position.
void rope_cache_cuda(float* q, const float* k, const float* v, int32_t tokens, int32_t heads, int32_t kv_heads,
                     const RopeCache& rope, cudaStream_t stream);

}  // namespace xcore::llm
