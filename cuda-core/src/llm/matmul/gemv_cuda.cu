// Few tokens: each warp owns two neighbouring rows and streams them past the activations, which stay in L1.
#include <algorithm>

#include "llm/device/launch_cuda.hpp"
#include "llm/matmul/dot_rows_cuda.hpp"
#include "llm/quantize/quantize_cuda.hpp"
#include "llm/rope/rope_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kMaxProducts = 3;
constexpr int kWarps = 4;

struct GemvArguments {
  DeviceMatrix w[kMaxProducts];
  float* out[kMaxProducts];
  int pairs_end[kMaxProducts];  // pairs of rows of the products up to and including this one
  int products;
  Activations x;
  int tokens;
};

// The product and the first row of a warp's pair; false when there is no work for the warp.
__device__ __forceinline__ bool find_rows(const GemvArguments& a, int& product, int& row) {
  const int pair = blockIdx.x * kWarps + threadIdx.x / kWarp;
  product = 0;
  while (product < a.products && pair >= a.pairs_end[product]) ++product;
  if (product == a.products) return false;
  row = (pair - (product == 0 ? 0 : a.pairs_end[product - 1])) * 2;
  return true;
}

// While the previous kernel ends, the first 4 kB of each row travel to L2: weights depend on no kernel.
template <int Rows>
__device__ __forceinline__ void begin(const DeviceMatrix& w, const RowPointers (&rows)[Rows]) {
  let_next_start();
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  const int64_t at = threadIdx.x % kWarp * 128;
#pragma unroll
  for (int r = 0; r < Rows; ++r) {
    if (at < w.pitch) asm volatile("prefetch.global.L2 [%0];" ::"l"(rows[r].data + at));
    if (at < w.scale_pitch * 2) asm volatile("prefetch.global.L2 [%0];" ::"l"(reinterpret_cast<const uint8_t*>(rows[r].scales) + at));
  }
#endif
  wait_for_previous();
}

template <gguf::TensorType Type, int Tokens>
__global__ void __launch_bounds__(kWarps* kWarp) gemv_kernel(GemvArguments a, Store store) {
  int product, row;
  if (!find_rows(a, product, row)) return;
  const DeviceMatrix& w = a.w[product];
  const bool two = row + 1 < w.rows;
  const RowPointers rows[2] = {row_of(w, row), row_of(w, two ? row + 1 : row)};
  begin(w, rows);
  float sum[2][Tokens];
  dot_rows<Type>(rows, a.x, w.columns, a.tokens, sum);
  // Lane r writes row r of the pair.
  const int lane = threadIdx.x % kWarp;
  if (lane > (two ? 1 : 0)) return;
#pragma unroll
  for (int t = 0; t < Tokens; ++t) {
    if (t >= a.tokens) return;
    float* out = a.out[product] + static_cast<int64_t>(t) * w.rows + row + lane;
    const float value = lane == 0 ? sum[0][t] : sum[1][t];
    *out = store == Store::add ? *out + value : value;
  }
}

// Products 0, 1, 2 are q, k, v; a warp's two rows are one pair of RoPE, since head_dim is even.
template <gguf::TensorType Type, int Tokens>
__global__ void __launch_bounds__(kWarps* kWarp) qkv_rope_kernel(GemvArguments a, RopeCache rope) {
  int product, row;
  if (!find_rows(a, product, row)) return;
  const DeviceMatrix& w = a.w[product];
  const RowPointers rows[2] = {row_of(w, row), row_of(w, row + 1)};
  begin(w, rows);
  float sum[2][Tokens];
  dot_rows<Type>(rows, a.x, w.columns, a.tokens, sum);
  if (threadIdx.x % kWarp != 0) return;
  const int head = row / rope.head_dim, d = row % rope.head_dim;
  const int64_t first = *rope.position;
#pragma unroll
  for (int t = 0; t < Tokens; ++t) {
    if (t >= a.tokens) return;
    const int64_t position = first + t;
    float2 value = make_float2(sum[0][t], sum[1][t]);
    if (product < 2 && d / 2 < rope.pairs) {
      const float2 turn = reinterpret_cast<const float2*>(rope.cos_sin)[position * rope.pairs + d / 2];
      value = rotated(value.x, value.y, turn.x, turn.y);
    }
    if (product == 0) {
      *reinterpret_cast<float2*>(a.out[0] + static_cast<int64_t>(t) * w.rows + row) = value;
    } else {
      __half* cache = (product == 1 ? rope.k : rope.v) + position * rope.cache_stride + head * rope.cache_head_dim + d;
      *reinterpret_cast<__half2*>(cache) = __floats2half2_rn(value.x, value.y);
    }
  }
}

constexpr int kSwigluWarps = 16;  // two outputs a warp: 32 outputs, one block of int8, a thread block

template <gguf::TensorType Type, int Tokens>
__global__ void __launch_bounds__(kSwigluWarps* kWarp, Tokens == 1 ? 2 : 1)
    swiglu_kernel(DeviceMatrix gate, DeviceMatrix up, Activations x, int tokens, float* out, QuantizedRows quantized) {
  __shared__ float activated[Tokens][32];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int base = blockIdx.x * 32;
  const int row = base + warp * 2;
  if (row < gate.rows) {
    const int next = min(row + 1, gate.rows - 1);
    const RowPointers rows[4] = {row_of(gate, row), row_of(gate, next), row_of(up, row), row_of(up, next)};
    begin(gate, rows);  // up has the same pitches
    float sum[4][Tokens];
    dot_rows<Type>(rows, x, gate.columns, tokens, sum);
    if (lane < 2) {
#pragma unroll
      for (int t = 0; t < Tokens; ++t) {
        const float g = lane == 0 ? sum[0][t] : sum[1][t], u = lane == 0 ? sum[2][t] : sum[3][t];
        activated[t][warp * 2 + lane] = g / (1.0f + expf(-g)) * u;
      }
    }
  }
  __syncthreads();
  if (warp >= tokens) return;  // warp t finishes token t; Tokens <= kSwigluWarps
  const int64_t at = static_cast<int64_t>(warp) * gate.rows + base + lane;
  if (out && base + lane < gate.rows) out[at] = activated[warp][lane];
  if (quantized.q) {  // rows are a multiple of 32: the block of 32 is complete
    float scale;
    quantized.q[at] = quantize_lane(activated[warp][lane], scale);
    if (lane == 0) quantized.scale[at / 32] = scale;
  }
}

GemvArguments arguments_of(const DeviceProduct* products, int count, const Activations& x, int32_t tokens) {
  GemvArguments a{};
  a.products = count;
  a.x = x;
  a.tokens = tokens;
  int end = 0;
  for (int i = 0; i < count; ++i) {
    a.w[i] = *products[i].w;
    a.out[i] = products[i].out;
    a.pairs_end[i] = end += ceil_div(products[i].w->rows, 2);
  }
  return a;
}

void gemv(const DeviceProduct* products, int count, const Activations& x, int32_t tokens, Store store,
          cudaStream_t stream) {
  const GemvArguments a = arguments_of(products, count, x, tokens);
  const int blocks = ceil_div(a.pairs_end[count - 1], kWarps);
  for_type_and_tokens(products[0].w->type, tokens, [&](auto type, auto wide) {
    launch_overlapped("launch of gemv", gemv_kernel<decltype(type)::value, decltype(wide)::value>, blocks,
                      kWarps * kWarp, 0, stream, a, store);
  });
}

}  // namespace

void matmul_cuda(const DeviceProduct* products, int count, const Activations& x, int32_t tokens, Store store,
                 cudaStream_t stream) {
  if (tokens <= kGemvTokens) {
    for (int first = 0; first < count;) {
      int end = first + 1;
      while (end < count && end - first < kMaxProducts && products[end].w->type == products[first].w->type) ++end;
      gemv(products + first, end - first, x, tokens, store, stream);
      first = end;
    }
    return;
  }
  for (int i = 0; i < count; ++i) {
    if (takes_quantized(products[i].w->type))
      gemm_quantized_cuda(*products[i].w, x.quantized, tokens, products[i].out, store, stream);
    else
      gemm_float_cuda(*products[i].w, x.x, tokens, products[i].out, store, stream);
  }
}

bool qkv_fits(const DeviceMatrix& q, const DeviceMatrix& k, const DeviceMatrix& v, int32_t tokens, int32_t head_dim) {
  return tokens <= kGemvTokens && head_dim % 2 == 0 && q.type == k.type && k.type == v.type;
}

void qkv_rope_cuda(const DeviceMatrix& q, const DeviceMatrix& k, const DeviceMatrix& v, const Activations& x,
                   int32_t tokens, const RopeCache& rope, float* q_out, cudaStream_t stream) {
  const DeviceProduct products[3] = {{&q, q_out}, {&k, nullptr}, {&v, nullptr}};
  const GemvArguments a = arguments_of(products, 3, x, tokens);
  const int blocks = ceil_div(a.pairs_end[2], kWarps);
  for_type_and_tokens(q.type, tokens, [&](auto type, auto wide) {
    launch_overlapped("launch of qkv_rope", qkv_rope_kernel<decltype(type)::value, decltype(wide)::value>, blocks,
                      kWarps * kWarp, 0, stream, a, rope);
  });
}

bool swiglu_fits(const DeviceMatrix& gate, const DeviceMatrix& up, int32_t tokens) {
  return tokens <= kGemvTokens && gate.type == up.type;
}

void swiglu_matmul_cuda(const DeviceMatrix& gate, const DeviceMatrix& up, const Activations& x, int32_t tokens,
                        float* out, QuantizedRows quantized, cudaStream_t stream) {
  const int blocks = ceil_div(gate.rows, 32);
  for_type_and_tokens(gate.type, tokens, [&](auto type, auto wide) {
    launch_overlapped("launch of swiglu_matmul", swiglu_kernel<decltype(type)::value, decltype(wide)::value>, blocks,
                      kSwigluWarps * kWarp, 0, stream, gate, up, x, tokens, out, quantized);
  });
}

}  // namespace xcore::llm
