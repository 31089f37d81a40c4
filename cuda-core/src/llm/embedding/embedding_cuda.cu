#include "llm/device/launch_cuda.hpp"
#include "llm/device/warp_cuda.hpp"
#include "llm/embedding/embedding_cuda.hpp"

namespace xcore::llm {

namespace {

using gguf::TensorType;
constexpr int kThreads = 256;

// blockIdx.y is the token.
template <TensorType Type>
__global__ void embedding_kernel(DeviceMatrix table, const int32_t* ids, float* out) {
  let_next_start();
  wait_for_previous();
  const int c = blockIdx.x * kThreads + threadIdx.x;
  if (c >= table.columns) return;
  const int64_t id = ids[blockIdx.y];
  const uint8_t* row = table.data + id * table.pitch;
  float value;
  if constexpr (Type == TensorType::f32) {
    value = reinterpret_cast<const float*>(row)[c];
  } else if constexpr (Type == TensorType::f16) {
    value = __half2float(reinterpret_cast<const __half*>(row)[c]);
  } else {
    const float scale = __half2float(table.scales[id * table.scale_pitch + c / 32]);
    int q;
    if constexpr (Type == TensorType::q8_0) {
      q = reinterpret_cast<const int8_t*>(row)[c];
    } else {
      const int j = c % 32;
      const int byte = row[c / 32 * 16 + j % 16];
      const int nibble = (j < 16 ? byte : byte >> 4) & 15;  // two's complement
      q = (nibble ^ 8) - 8;
    }
    value = __fmul_rn(scale, static_cast<float>(q));
  }
  out[static_cast<int64_t>(blockIdx.y) * table.columns + c] = value;
}

}  // namespace

void embedding_cuda(const DeviceMatrix& table, const int32_t* ids, int32_t count, float* out, cudaStream_t stream) {
  const dim3 grid(ceil_div(table.columns, kThreads), count);
  const auto kernel = table.type == TensorType::f16    ? embedding_kernel<TensorType::f16>
                      : table.type == TensorType::q8_0 ? embedding_kernel<TensorType::q8_0>
                      : table.type == TensorType::q4_0 ? embedding_kernel<TensorType::q4_0>
                                                       : embedding_kernel<TensorType::f32>;
  launch_overlapped("launch of embedding", kernel, grid, kThreads, 0, stream, table, ids, out);
}

}  // namespace xcore::llm
