#include "llm/device/launch_cuda.hpp"
#include "llm/quantize/quantize_cuda.hpp"
#include "llm/swiglu/swiglu_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kThreads = 256;

__global__ void swiglu_kernel(const float* gate, const float* up, int64_t count, float* out, QuantizedRows quantized) {
  let_next_start();
  wait_for_previous();
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;  // when quantising, the same for all lanes of a warp
  const float g = gate[i];
  const float value = g / (1.0f + expf(-g)) * up[i];
  if (out) out[i] = value;
  if (quantized.q) {
    float scale;
    quantized.q[i] = quantize_lane(value, scale);
    if (threadIdx.x % kWarp == 0) quantized.scale[i / 32] = scale;
  }
}

}  // namespace

void swiglu_cuda(const float* gate, const float* up, int64_t count, float* out, QuantizedRows quantized,
                 cudaStream_t stream) {
  launch_overlapped("launch of swiglu", swiglu_kernel, ceil_div(count, kThreads), kThreads, 0, stream, gate, up, count,
                    out, quantized);
}

}  // namespace xcore::llm
