// Many tokens, F16 and F32 weights: tiles of 64 rows x 64 tokens in fp32, so that nothing is rounded that the reference
// does not round. A thread sums 4 x 4 results.
#include "llm/device/launch_cuda.hpp"
#include "llm/device/warp_cuda.hpp"
#include "llm/matmul/matmul_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kTile = 64, kDepth = 16, kThreads = 256, kEach = 4;
// Columns of a tile lie [depth][row]; the pitch keeps 16-byte alignment and spreads the writes of a warp over the banks.
constexpr int kPitch = kTile + 4;

template <bool Half>
__global__ void __launch_bounds__(kThreads)
    gemm_kernel(DeviceMatrix w, const float* x, int tokens, float* out, Store store) {
  __shared__ __align__(16) float rows[kDepth][kPitch];
  __shared__ __align__(16) float inputs[kDepth][kPitch];
  let_next_start();
  wait_for_previous();
  const int first_token = blockIdx.x * kTile, first_row = blockIdx.y * kTile;
  const int across = threadIdx.x % 16, down = threadIdx.x / 16;  // of the 16 x 16 threads: rows, tokens
  float sum[kEach][kEach] = {};  // [token][row]
  for (int first = 0; first < w.columns; first += kDepth) {
#pragma unroll
    for (int k = 0; k < kTile * kDepth / kThreads; ++k) {
      const int i = k * kThreads + threadIdx.x;
      const int c = first + i % kDepth, line = i / kDepth;
      float weight = 0, input = 0;
      if (c < w.columns && first_row + line < w.rows) {
        const uint8_t* row = w.data + (first_row + line) * w.pitch;
        weight = Half ? __half2float(reinterpret_cast<const __half*>(row)[c]) : reinterpret_cast<const float*>(row)[c];
      }
      if (c < w.columns && first_token + line < tokens) input = x[static_cast<int64_t>(first_token + line) * w.columns + c];
      rows[i % kDepth][line] = weight;
      inputs[i % kDepth][line] = input;
    }
    __syncthreads();
#pragma unroll
    for (int c = 0; c < kDepth; ++c) {
      const float4 a = *reinterpret_cast<const float4*>(&rows[c][across * kEach]);
      const float4 b = *reinterpret_cast<const float4*>(&inputs[c][down * kEach]);
      const float weight[kEach] = {a.x, a.y, a.z, a.w}, input[kEach] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int t = 0; t < kEach; ++t)
#pragma unroll
        for (int r = 0; r < kEach; ++r) sum[t][r] = fmaf(weight[r], input[t], sum[t][r]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int t = 0; t < kEach; ++t)
#pragma unroll
    for (int r = 0; r < kEach; ++r) {
      const int token = first_token + down * kEach + t, row = first_row + across * kEach + r;
      if (token >= tokens || row >= w.rows) continue;
      float* to = out + static_cast<int64_t>(token) * w.rows + row;
      *to = store == Store::add ? *to + sum[t][r] : sum[t][r];
    }
}

}  // namespace

void gemm_float_cuda(const DeviceMatrix& w, const float* x, int32_t tokens, float* out, Store store,
                     cudaStream_t stream) {
  const dim3 grid(ceil_div(tokens, kTile), ceil_div(w.rows, kTile));
  const auto kernel = w.type == gguf::TensorType::f16 ? gemm_kernel<true> : gemm_kernel<false>;
  launch_overlapped("launch of gemm_float", kernel, grid, kThreads, 0, stream, w, x, tokens, out, store);
}

}  // namespace xcore::llm
