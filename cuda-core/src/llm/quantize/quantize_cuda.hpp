// quantize.hpp on the GPU: the same bits as the reference. Only .cu files include this; pointers are device memory.
#pragma once

#include "llm/device/warp_cuda.hpp"
#include "llm/quantize/quantize.hpp"

namespace xcore::llm {

// A warp quantises one block, a value a lane. Multiplication and divisions are the correctly rounded ones, and nothing
// is left for the compiler to fuse.
__device__ __forceinline__ int8_t quantize_lane(float x, float& scale) {
  const float largest = warp_max(fabsf(x));
  const bool zero = largest < 0x1.0p-100f;
  const float inverse = zero ? 0.0f : __fdiv_rn(127.0f, largest);
  scale = zero ? 0.0f : __fdiv_rn(largest, 127.0f);
  return static_cast<int8_t>(__float2int_rn(__fmul_rn(x, inverse)));
}

void quantize_rows_cuda(const float* x, int64_t rows, int32_t columns, QuantizedRows out, cudaStream_t stream);

}  // namespace xcore::llm
