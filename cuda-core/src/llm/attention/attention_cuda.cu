#include "llm/attention/attention_cuda.hpp"

#include <algorithm>

#include "llm/device/launch_cuda.hpp"
#include "llm/quantize/quantize_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kDims = 8;           // of a head, per lane: 16 bytes of cache
constexpr int kUnroll = 4;         // positions a group of lanes has in flight
constexpr int kMinSplit = 64;      // positions; less is not worth a merge

struct AttentionArguments {
  int heads, kv_heads, head_dim, padded, tokens, tiles;
  int lanes;  // a power of two: lanes side by side along a head, lanes * kDims >= padded
  float scale;
  const int32_t* first_position;
  const float* q;
  const __half* k;
  const __half* v;
  AttentionScratch scratch;
  float* out;
  QuantizedRows quantized;
};

// exp(a - b) with b the larger one; 0 for a = -infinity, also when b is.
__device__ __forceinline__ float weight_of(float a, float b) { return a == -INFINITY ? 0.0f : expf(a - b); }

__device__ __forceinline__ void unpack(const uint4& bits, float (&values)[kDims]) {
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = floats_of(words[i]);
    values[2 * i] = pair.x;
    values[2 * i + 1] = pair.y;
  }
}

// Result d of query `j` (its number among those of the cache head). All lanes of a warp come together, with 32
// neighbouring d when the output is quantised.
__device__ __forceinline__ void write_result(const AttentionArguments& a, int kv_head, int j, int d, float value) {
  const int group = a.heads / a.kv_heads;
  if (j >= a.tokens * group || d >= a.head_dim) return;
  const int64_t at = (static_cast<int64_t>(j / group) * a.heads + kv_head * group + j % group) * a.head_dim + d;
  if (a.out) a.out[at] = value;
  if (a.quantized.q) {
    float scale;
    a.quantized.q[at] = quantize_lane(value, scale);
    if (threadIdx.x % kWarp == 0) a.quantized.scale[at / 32] = scale;
  }
}

template <int Queries>
__global__ void __launch_bounds__(kThreads) attention_kernel(AttentionArguments a) {
  __shared__ float shared_sum[kWarps][Queries][kMaxHeadDim];
  __shared__ float shared_largest[kWarps][Queries], shared_total[kWarps][Queries];
  __shared__ bool last;
  let_next_start();
  wait_for_previous();
  const int kv_head = blockIdx.x / a.tiles, tile = blockIdx.x % a.tiles, split = blockIdx.y;
  const int group = a.heads / a.kv_heads;
  const int queries = a.tokens * group;
  const int first_query = tile * Queries;
  const int start = *a.first_position;
  const int length = start + (min(first_query + Queries, queries) - 1) / group + 1;  // positions the tile sees
  const int per_split = max(kMinSplit, (length + static_cast<int>(gridDim.y) - 1) / static_cast<int>(gridDim.y));
  const int splits = (length + per_split - 1) / per_split;
  if (split >= splits) return;
  const int begin = split * per_split, end = min(begin + per_split, length);

  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int along = lane % a.lanes;                   // place along the head
  const int groups = kWarp / a.lanes;                 // groups of lanes in a warp, a position each
  const int slot = warp * groups + lane / a.lanes, slots = kWarps * groups;
  const int d0 = along * kDims;
  const int64_t stride = static_cast<int64_t>(a.kv_heads) * a.padded;
  const int64_t column = static_cast<int64_t>(kv_head) * a.padded + d0;

  float query[Queries][kDims], sum[Queries][kDims], largest[Queries], total[Queries];
  int visible[Queries];  // positions below this one
#pragma unroll
  for (int j = 0; j < Queries; ++j) {
    const int number = first_query + j;
    const bool real = number < queries;
    visible[j] = real ? start + number / group + 1 : 0;
    largest[j] = -INFINITY;
    total[j] = 0;
    const int64_t at = real ? (static_cast<int64_t>(number / group) * a.heads + kv_head * group + number % group) * a.head_dim : 0;
#pragma unroll
    for (int i = 0; i < kDims; ++i) {
      query[j][i] = real && d0 + i < a.head_dim ? a.q[at + d0 + i] * a.scale : 0.0f;
      sum[j][i] = 0;
    }
  }

  for (int base = begin; base < end; base += slots * kUnroll) {  // the same trips for all lanes: they exchange values
    uint4 k_bits[kUnroll], v_bits[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      const int p = base + u * slots + slot;
      const bool inside = p < end && d0 < a.padded;
      k_bits[u] = v_bits[u] = make_uint4(0, 0, 0, 0);
      if (inside) {
        k_bits[u] = *reinterpret_cast<const uint4*>(a.k + p * stride + column);
        v_bits[u] = *reinterpret_cast<const uint4*>(a.v + p * stride + column);
      }
    }
    float score[kUnroll][Queries];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      float key[kDims];
      unpack(k_bits[u], key);
#pragma unroll
      for (int j = 0; j < Queries; ++j) {
        float dot = 0;
#pragma unroll
        for (int i = 0; i < kDims; ++i) dot = fmaf(query[j][i], key[i], dot);
        for (int offset = a.lanes / 2; offset > 0; offset /= 2) dot += __shfl_xor_sync(kAllLanes, dot, offset);
        const int p = base + u * slots + slot;
        score[u][j] = p < end && p < visible[j] ? dot : -INFINITY;
      }
    }
#pragma unroll
    for (int j = 0; j < Queries; ++j) {
      float now = largest[j];
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) now = fmaxf(now, score[u][j]);
      const float keep = weight_of(largest[j], now);
      largest[j] = now;
      total[j] *= keep;
#pragma unroll
      for (int i = 0; i < kDims; ++i) sum[j][i] *= keep;
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) {
        score[u][j] = weight_of(score[u][j], now);
        total[j] += score[u][j];
      }
    }
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      float value[kDims];
      unpack(v_bits[u], value);
#pragma unroll
      for (int j = 0; j < Queries; ++j)
#pragma unroll
        for (int i = 0; i < kDims; ++i) sum[j][i] = fmaf(score[u][j], value[i], sum[j][i]);
    }
  }

  // The groups of a warp, then the warps of the block.
#pragma unroll
  for (int j = 0; j < Queries; ++j) {
    for (int offset = a.lanes; offset < kWarp; offset *= 2) {
      const float other = __shfl_xor_sync(kAllLanes, largest[j], offset);
      const float now = fmaxf(largest[j], other);
      const float own_weight = weight_of(largest[j], now), other_weight = weight_of(other, now);
      largest[j] = now;
      total[j] = __fadd_rn(__fmul_rn(total[j], own_weight),
                           __fmul_rn(__shfl_xor_sync(kAllLanes, total[j], offset), other_weight));
#pragma unroll
      for (int i = 0; i < kDims; ++i)
        sum[j][i] = __fadd_rn(__fmul_rn(sum[j][i], own_weight),
                              __fmul_rn(__shfl_xor_sync(kAllLanes, sum[j][i], offset), other_weight));
    }
    if (lane < a.lanes) {
#pragma unroll
      for (int i = 0; i < kDims; ++i)
        if (d0 + i < a.padded) shared_sum[warp][j][d0 + i] = sum[j][i];
    }
    if (lane == 0) {
      shared_largest[warp][j] = largest[j];
      shared_total[warp][j] = total[j];
    }
  }
  __syncthreads();

  // Partials: per (kv_head, tile) and split the sums [Queries][padded], then largest and total of each query.
  const int values = Queries * a.padded;
  const int64_t partial_size = values + 2 * Queries;
  float* partials = a.scratch.partials + static_cast<int64_t>(blockIdx.x) * gridDim.y * partial_size;
  for (int i = threadIdx.x; i < values; i += kThreads) {
    const int j = i / a.padded, d = i % a.padded;
    float now = -INFINITY;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) now = fmaxf(now, shared_largest[w][j]);
    float all = 0, merged = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float weight = weight_of(shared_largest[w][j], now);
      all = fmaf(shared_total[w][j], weight, all);
      merged = fmaf(shared_sum[w][j][d], weight, merged);
    }
    if (splits == 1) {
      write_result(a, kv_head, first_query + j, d, merged / all);
    } else {
      float* own = partials + split * partial_size;
      own[i] = merged;
      if (d == 0) {
        own[values + j * 2] = now;
        own[values + j * 2 + 1] = all;
      }
    }
  }
  if (splits == 1) return;

  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(a.scratch.finished + blockIdx.x, 1u) == static_cast<unsigned>(splits - 1);
    if (last) a.scratch.finished[blockIdx.x] = 0;
  }
  __syncthreads();
  if (!last) return;
  __threadfence();
  for (int i = threadIdx.x; i < values; i += kThreads) {
    const int j = i / a.padded, d = i % a.padded;
    float now = -INFINITY;
    for (int s = 0; s < splits; ++s) now = fmaxf(now, __ldcg(partials + s * partial_size + values + j * 2));
    float all = 0, merged = 0;
    for (int s = 0; s < splits; ++s) {
      const float* own = partials + s * partial_size;
      const float weight = weight_of(__ldcg(own + values + j * 2), now);
      all = fmaf(__ldcg(own + values + j * 2 + 1), weight, all);
      merged = fmaf(__ldcg(own + i), weight, merged);
    }
    write_result(a, kv_head, first_query + j, d, merged / all);
  }
}

}  // namespace

AttentionPlan attention_plan(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t tokens, int64_t positions,
                             int32_t processors) {
  const int64_t queries = static_cast<int64_t>(tokens) * (heads / kv_heads);
  AttentionPlan plan;
  plan.queries = queries >= 3 ? 4 : static_cast<int32_t>(queries);
  plan.tiles = ceil_div(queries, plan.queries);
  const int64_t blocks = static_cast<int64_t>(kv_heads) * plan.tiles;
  // Two blocks a processor keep the memory busy; beyond that splitting only costs merges.
  const int64_t wanted = std::max<int64_t>(1, 2 * processors / blocks);
  plan.splits = static_cast<int32_t>(std::min<int64_t>(wanted, std::max<int64_t>(1, positions / kMinSplit)));
  const int64_t partial_size = plan.queries * (static_cast<int64_t>(cache_head_dim(head_dim)) + 2);
  plan.partial_count = static_cast<size_t>(blocks * plan.splits * partial_size);
  return plan;
}

void attention_cuda(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t tokens, const int32_t* first_position,
                    const AttentionPlan& plan, const float* q, const __half* k_cache, const __half* v_cache,
                    AttentionScratch scratch, float* out, QuantizedRows quantized, cudaStream_t stream) {
  AttentionArguments a{};
  a.heads = heads;
  a.kv_heads = kv_heads;
  a.head_dim = head_dim;
  a.padded = cache_head_dim(head_dim);
  a.tokens = tokens;
  a.tiles = plan.tiles;
  a.lanes = 1;
  while (a.lanes * kDims < a.padded) a.lanes *= 2;
  a.scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  a.first_position = first_position;
  a.q = q;
  a.k = k_cache;
  a.v = v_cache;
  a.scratch = scratch;
  a.out = out;
  a.quantized = quantized;
  const dim3 grid(kv_heads * plan.tiles, plan.splits);
  const auto kernel = plan.queries == 1   ? attention_kernel<1>
                      : plan.queries == 2 ? attention_kernel<2>
                                          : attention_kernel<4>;
  launch_overlapped("launch of attention", kernel, grid, kThreads, 0, stream, a);
}

}  // namespace xcore::llm
