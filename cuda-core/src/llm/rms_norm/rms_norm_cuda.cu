#include <algorithm>

#include "llm/device/launch_cuda.hpp"
#include "llm/quantize/quantize_cuda.hpp"
#include "llm/rms_norm/rms_norm_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kKept = 8;  // values a thread keeps in registers between the two passes

// One block a row. `Cached`: the row fits the registers of the block (width <= kKept * blockDim.x).
template <bool Cached>
__global__ void __launch_bounds__(1024) rms_norm_kernel(const float* x, const float* weight, int width, float eps,
                                                        float* out, QuantizedRows quantized) {
  __shared__ float shared[kWarp];
  let_next_start();
  wait_for_previous();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * width;
  const float* row = x + first;
  float kept[kKept];
  float squares = 0;
  if (Cached) {
#pragma unroll
    for (int k = 0; k < kKept; ++k) {
      const int i = k * blockDim.x + threadIdx.x;
      kept[k] = i < width ? row[i] : 0.0f;
      squares += kept[k] * kept[k];
    }
  } else {
    for (int i = threadIdx.x; i < width; i += blockDim.x) squares += row[i] * row[i];
  }
  const float factor = __fdiv_rn(1.0f, __fsqrt_rn(block_sum(squares, shared) / width + eps));
  // A warp holds 32 neighbours, aligned to 32: one block of the quantised row. When the row is quantised its width is a
  // multiple of 32, so that a warp is inside the row or outside it as a whole.
  auto finish = [&](int i, float value) {
    const float y = value * factor * weight[i];
    if (out) out[first + i] = y;
    if (quantized.q) {
      float scale;
      quantized.q[first + i] = quantize_lane(y, scale);
      if (threadIdx.x % kWarp == 0) quantized.scale[(first + i) / 32] = scale;
    }
  };
  if (Cached) {
#pragma unroll
    for (int k = 0; k < kKept; ++k) {
      const int i = k * blockDim.x + threadIdx.x;
      if (i < width) finish(i, kept[k]);
    }
  } else {
    for (int i = threadIdx.x; i < width; i += blockDim.x) finish(i, row[i]);
  }
}

}  // namespace

void rms_norm_cuda(const float* x, const float* weight, int32_t rows, int32_t width, float eps, float* out,
                   QuantizedRows quantized, cudaStream_t stream) {
  const int threads = std::min(1024, ceil_div(width, kWarp) * kWarp);
  const auto kernel = width <= kKept * threads ? rms_norm_kernel<true> : rms_norm_kernel<false>;
  launch_overlapped("launch of rms_norm", kernel, rows, threads, 0, stream, x, weight, width, eps, out, quantized);
}

}  // namespace xcore::llm
