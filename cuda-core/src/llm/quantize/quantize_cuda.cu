#include "llm/device/launch_cuda.hpp"
#include "llm/quantize/quantize_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kThreads = 256;

__global__ void quantize_kernel(const float* x, int64_t blocks, QuantizedRows out) {
  let_next_start();
  wait_for_previous();
  const int64_t block = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / kWarp;
  const int lane = threadIdx.x % kWarp;
  if (block >= blocks) return;  // the same for all lanes of the warp
  float scale;
  out.q[block * 32 + lane] = quantize_lane(x[block * 32 + lane], scale);
  if (lane == 0) out.scale[block] = scale;
}

}  // namespace

void quantize_rows_cuda(const float* x, int64_t rows, int32_t columns, QuantizedRows out, cudaStream_t stream) {
  const int64_t blocks = rows * (columns / 32);
  launch_overlapped("launch of quantize", quantize_kernel, ceil_div(blocks, kThreads / kWarp), kThreads, 0, stream, x,
                    blocks, out);
}

}  // namespace xcore::llm
