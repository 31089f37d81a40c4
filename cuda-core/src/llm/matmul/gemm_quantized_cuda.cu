// Many tokens, Q8_0 and Q4_0: tiles of 128 rows x 64 tokens, int8 tensor cores (mma.sync m16n8k32). One instruction
// spans exactly one block of 32 columns, so that its int32 results are the block sums of the reference; they are scaled
// and accumulated in fp32 registers. Tiles travel by cp.async through a ring of stages.
#include <cuda_pipeline_primitives.h>

#include "llm/device/launch_cuda.hpp"
#include "llm/device/warp_cuda.hpp"
#include "llm/matmul/matmul_cuda.hpp"

namespace xcore::llm {

namespace {

using gguf::TensorType;

constexpr int kRows = 128, kTokens = 64;     // of a tile
constexpr int kBlocks = 2;                   // blocks of 32 columns a stage
constexpr int kStages = 3;
constexpr int kWarpsRows = 4, kWarpsTokens = 2;
constexpr int kThreads = kWarpsRows * kWarpsTokens * kWarp;
constexpr int kRowTiles = kRows / kWarpsRows / 16;        // 16-row fragments a warp: 2
constexpr int kTokenTiles = kTokens / kWarpsTokens / 8;   // 8-token fragments a warp: 4

// Pitches keep 16-byte alignment and spread 8 rows x 4 words over all 32 banks.
template <TensorType Type>
struct Stage {
  static constexpr int kQuantBytes = Type == TensorType::q8_0 ? 32 : 16;
  static constexpr int kPitch = kBlocks * kQuantBytes + 16;  // 80 or 48
  static constexpr int kTokenPitch = kBlocks * 32 + 16;      // 80
  alignas(16) uint8_t w[kRows * kPitch];
  alignas(16) int8_t x[kTokens * kTokenPitch];
  alignas(16) __half w_scale[kRows * kBlocks];
  alignas(16) float x_scale[kTokens * kBlocks];
};

// Blocks from `block` on into a stage; what lies outside the matrices becomes zero.
template <TensorType Type>
__device__ __forceinline__ void load_stage(Stage<Type>& stage, const DeviceMatrix& w, const QuantizedRows& x,
                                           int tokens, int first_row, int first_token, int block) {
  using S = Stage<Type>;
  const int blocks = w.columns / 32;
  constexpr int kWeightChunks = kBlocks * S::kQuantBytes / 16;  // 16-byte chunks a row
  for (int i = threadIdx.x; i < kRows * kWeightChunks; i += kThreads) {
    const int r = i / kWeightChunks, c = i % kWeightChunks;
    const int row = first_row + r;
    const bool inside = row < w.rows && block + c * 16 / S::kQuantBytes < blocks;
    const uint8_t* source = inside ? w.data + row * w.pitch + static_cast<int64_t>(block) * S::kQuantBytes + c * 16 : w.data;
    __pipeline_memcpy_async(stage.w + r * S::kPitch + c * 16, source, 16, inside ? 0 : 16);
  }
  constexpr int kTokenChunks = kBlocks * 2;
  for (int i = threadIdx.x; i < kTokens * kTokenChunks; i += kThreads) {
    const int t = i / kTokenChunks, c = i % kTokenChunks;
    const int token = first_token + t;
    const bool inside = token < tokens && block + c / 2 < blocks;
    const int8_t* source = inside ? x.q + static_cast<int64_t>(token) * w.columns + block * 32 + c * 16 : x.q;
    __pipeline_memcpy_async(stage.x + t * S::kTokenPitch + c * 16, source, 16, inside ? 0 : 16);
  }
  // The two scales of a row: `block` is even and the plane's pitch too, so that they lie on 4 bytes; past an odd number
  // of blocks the plane holds a zero.
  for (int r = threadIdx.x; r < kRows; r += kThreads) {
    const int row = first_row + r;
    const bool inside = row < w.rows;
    const __half* source = inside ? w.scales + static_cast<int64_t>(row) * w.scale_pitch + block : w.scales;
    __pipeline_memcpy_async(stage.w_scale + r * kBlocks, source, 4, inside ? 0 : 4);
  }
  for (int i = threadIdx.x; i < kTokens * kBlocks; i += kThreads) {
    const int token = first_token + i / kBlocks, b = block + i % kBlocks;
    const bool inside = token < tokens && b < blocks;
    const float* source = inside ? x.scale + static_cast<int64_t>(token) * blocks + b : x.scale;
    __pipeline_memcpy_async(stage.x_scale + i, source, 4, inside ? 0 : 4);
  }
}

__device__ __forceinline__ uint32_t word_at(const void* base, int bytes) {
  return *reinterpret_cast<const uint32_t*>(static_cast<const uint8_t*>(base) + bytes);
}

// d = a (16 x 32, row-major) * b (32 x 8, column-major), int8 -> int32.
__device__ __forceinline__ void mma_block(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
      : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(0), "r"(0), "r"(0), "r"(0));
#else
  // Turing: the same product from four m8n8k16.
  const int zero = 0;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    int first[2];
    asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%4, %5};"
        : "=r"(first[0]), "=r"(first[1])
        : "r"(a[half]), "r"(b[0]), "r"(zero), "r"(zero));
    asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%4, %5};"
        : "=r"(d[half * 2]), "=r"(d[half * 2 + 1])
        : "r"(a[half + 2]), "r"(b[1]), "r"(first[0]), "r"(first[1]));
  }
#endif
}

template <TensorType Type>
__global__ void __launch_bounds__(kThreads)
    gemm_kernel(DeviceMatrix w, QuantizedRows x, int tokens, float* out, Store store) {
  using S = Stage<Type>;
  extern __shared__ __align__(16) uint8_t storage[];
  S* stages = reinterpret_cast<S*>(storage);
  // Token tiles of the same rows are neighbours in time: weights come from device memory once.
  const int first_token = blockIdx.x * kTokens, first_row = blockIdx.y * kRows;
  const int steps = (w.columns / 32 + kBlocks - 1) / kBlocks;
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int group = lane / 4, quad = lane % 4;  // the fragments' row (or token) and position along the columns
  const int warp_row = warp % kWarpsRows * (kRows / kWarpsRows);
  const int warp_token = warp / kWarpsRows * (kTokens / kWarpsTokens);
  float sum[kRowTiles][kTokenTiles][4] = {};
  let_next_start();
  wait_for_previous();

  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) load_stage(stages[s], w, x, tokens, first_row, first_token, s * kBlocks);
    __pipeline_commit();
  }
  for (int step = 0; step < steps; ++step) {
    __pipeline_wait_prior(kStages - 2);
    __syncthreads();  // this step's stage is complete, and nobody reads the one that is refilled now
    const int ahead = step + kStages - 1;
    if (ahead < steps) load_stage(stages[ahead % kStages], w, x, tokens, first_row, first_token, ahead * kBlocks);
    __pipeline_commit();
    const S& stage = stages[step % kStages];
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) {
      uint32_t x_part[kTokenTiles][2];
      float2 x_scale[kTokenTiles];
#pragma unroll
      for (int n = 0; n < kTokenTiles; ++n) {
        const int at = (warp_token + n * 8 + group) * S::kTokenPitch + b * 32 + quad * 4;
        x_part[n][0] = word_at(stage.x, at);
        x_part[n][1] = word_at(stage.x, at + 16);
        const int token = warp_token + n * 8 + quad * 2;
        x_scale[n] = make_float2(stage.x_scale[token * kBlocks + b], stage.x_scale[(token + 1) * kBlocks + b]);
      }
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        const int upper = warp_row + m * 16 + group, lower = upper + 8;
        uint32_t w_part[4];
        float upper_scale = __half2float(stage.w_scale[upper * kBlocks + b]);
        float lower_scale = __half2float(stage.w_scale[lower * kBlocks + b]);
        if constexpr (Type == TensorType::q8_0) {
          const int offset = b * 32 + quad * 4;
          w_part[0] = word_at(stage.w, upper * S::kPitch + offset);
          w_part[1] = word_at(stage.w, lower * S::kPitch + offset);
          w_part[2] = word_at(stage.w, upper * S::kPitch + offset + 16);
          w_part[3] = word_at(stage.w, lower * S::kPitch + offset + 16);
        } else {
          // Byte j of a block: column j in the low nibble, column j + 16 in the high one; 16 times the value each.
          constexpr uint32_t kHigh = 0xF0F0F0F0u;
          const uint32_t u = word_at(stage.w, upper * S::kPitch + b * 16 + quad * 4);
          const uint32_t l = word_at(stage.w, lower * S::kPitch + b * 16 + quad * 4);
          w_part[0] = u << 4 & kHigh;
          w_part[1] = l << 4 & kHigh;
          w_part[2] = u & kHigh;
          w_part[3] = l & kHigh;
          upper_scale *= 0.0625f;  // exact
          lower_scale *= 0.0625f;
        }
#pragma unroll
        for (int n = 0; n < kTokenTiles; ++n) {
          int dot[4];
          mma_block(dot, w_part, x_part[n]);
          sum[m][n][0] += (upper_scale * x_scale[n].x) * static_cast<float>(dot[0]);
          sum[m][n][1] += (upper_scale * x_scale[n].y) * static_cast<float>(dot[1]);
          sum[m][n][2] += (lower_scale * x_scale[n].x) * static_cast<float>(dot[2]);
          sum[m][n][3] += (lower_scale * x_scale[n].y) * static_cast<float>(dot[3]);
        }
      }
    }
  }

#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kTokenTiles; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = first_row + warp_row + m * 16 + group + i / 2 * 8;
        const int token = first_token + warp_token + n * 8 + quad * 2 + i % 2;
        if (row >= w.rows || token >= tokens) continue;
        float* to = out + static_cast<int64_t>(token) * w.rows + row;
        *to = store == Store::add ? *to + sum[m][n][i] : sum[m][n][i];
      }
}

template <TensorType Type>
void launch(const DeviceMatrix& w, QuantizedRows x, int32_t tokens, float* out, Store store, cudaStream_t stream) {
  constexpr size_t bytes = sizeof(Stage<Type>) * kStages;
  if (bytes > 48 * 1024)  // per device and cheap, so no memory of having done it
    XC_CUDA(cudaFuncSetAttribute(gemm_kernel<Type>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
  const dim3 grid(ceil_div(tokens, kTokens), ceil_div(w.rows, kRows));
  launch_overlapped("launch of gemm_quantized", gemm_kernel<Type>, grid, kThreads, bytes, stream, w, x, tokens, out, store);
}

}  // namespace

void gemm_quantized_cuda(const DeviceMatrix& w, QuantizedRows x, int32_t tokens, float* out, Store store,
                         cudaStream_t stream) {
  if (w.type == TensorType::q8_0)
    launch<TensorType::q8_0>(w, x, tokens, out, store, stream);
  else
    launch<TensorType::q4_0>(w, x, tokens, out, store, stream);
}

}  // namespace xcore::llm
