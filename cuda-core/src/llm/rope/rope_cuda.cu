#include "llm/rope/rope_cuda.hpp"

#include "llm/device/launch_cuda.hpp"
#include "llm/device/warp_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kThreads = 128;

__global__ void table_kernel(const double* frequencies, int pairs, int64_t count, float2* cos_sin) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  double sine, cosine;
  sincos(static_cast<double>(i / pairs) * frequencies[i % pairs], &sine, &cosine);
  cos_sin[i] = make_float2(static_cast<float>(cosine), static_cast<float>(sine));
}

// A thread a pair of values: first the pairs of q, then of k, then of v. blockIdx.y is the token.
__global__ void rope_cache_kernel(float* q, const float* k, const float* v, int heads, int kv_heads, RopeCache rope) {
  let_next_start();
  wait_for_previous();
  const int half = (rope.head_dim + 1) / 2;  // an odd last value stands alone
  int i = blockIdx.x * kThreads + threadIdx.x;
  const int64_t token = blockIdx.y;
  if (i >= (heads + 2 * kv_heads) * half) return;
  const int64_t position = *rope.position + token;
  const int head = i / half, pair = i % half, d = pair * 2;
  const bool both = d + 1 < rope.head_dim;
  const bool is_q = head < heads, is_k = !is_q && head < heads + kv_heads;
  const int own = is_q ? head : is_k ? head - heads : head - heads - kv_heads;
  const int64_t at = (token * (is_q ? heads : kv_heads) + own) * rope.head_dim + d;
  const float* source = (is_q ? q : is_k ? k : v) + at;
  float2 value = make_float2(source[0], both ? source[1] : 0.0f);
  if ((is_q || is_k) && pair < rope.pairs) {
    const float2 turn = reinterpret_cast<const float2*>(rope.cos_sin)[position * rope.pairs + pair];
    value = rotated(value.x, value.y, turn.x, turn.y);
  }
  if (is_q) {
    q[at] = value.x;
    if (both) q[at + 1] = value.y;
  } else {
    __half* out = (is_k ? rope.k : rope.v) + position * rope.cache_stride + own * rope.cache_head_dim + d;
    out[0] = __float2half_rn(value.x);
    if (both) out[1] = __float2half_rn(value.y);
  }
}

}  // namespace

void rope_table_cuda(const double* frequencies, int32_t pairs, int32_t count, float* cos_sin, cudaStream_t stream) {
  const int64_t all = static_cast<int64_t>(count) * pairs;
  if (all == 0) return;
  table_kernel<<<ceil_div(all, kThreads), kThreads, 0, stream>>>(frequencies, pairs, all,
                                                                 reinterpret_cast<float2*>(cos_sin));
  XC_CUDA_LAUNCHED("rope_table");
}

void rope_cache_cuda(float* q, const float* k, const float* v, int32_t tokens, int32_t heads, int32_t kv_heads,
                     const RopeCache& rope, cudaStream_t stream) {
  const int pairs = (heads + 2 * kv_heads) * ((rope.head_dim + 1) / 2);
  launch_overlapped("launch of rope_cache", rope_cache_kernel, dim3(ceil_div(pairs, kThreads), tokens), kThreads, 0,
                    stream, q, k, v, heads, kv_heads, rope);
}

}  // namespace xcore::llm
