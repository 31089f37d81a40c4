// attention.hpp on the GPU: one kernel for decoding and prompts.
//
// The queries that read one cache head — `tokens` times (heads / kv_heads) of them — are cut into tiles of up to four,
// so that a key or value is loaded once for four queries. A tile's positions are cut into splits (flash-decoding: T. Dao
// et al., 2023) and each split runs an online softmax (M. Milakov, N. Gimelshein, arXiv:1805.02867); the split that ends
// last merges them. The number of splits in use follows from the positions alone, so that results are reproducible.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "llm/attention/attention.hpp"
#include "llm/quantize/quantize.hpp"

namespace xcore::llm {

inline constexpr int kMaxHeadDim = 256;

// Of the cache: [position][kv_heads][cache_head_dim], heads padded with zeros to a multiple of 8 values.
inline int32_t cache_head_dim(int32_t head_dim) { return (head_dim + 7) / 8 * 8; }

struct AttentionPlan {
  int32_t queries;      // of a tile: 1, 2 or 4
  int32_t tiles;        // of each cache head
  int32_t splits;       // at most
  size_t partial_count; // floats of AttentionScratch.partials
};
// `positions`: how many the last token will see at most. `processors`: streaming multiprocessors of the device.
AttentionPlan attention_plan(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t tokens, int64_t positions,
                             int32_t processors);

struct AttentionScratch {  // device memory
  float* partials;         // plan.partial_count
  uint32_t* finished;      // kv_heads * plan.tiles; zero before the first call, every call leaves it zero
};

// q, out: [tokens][heads][head_dim]; `first_position` on the device. Writes `out` unless it is nullptr, and `quantized`
// unless its q is nullptr (head_dim then a multiple of 32). head_dim <= kMaxHeadDim.
void attention_cuda(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t tokens, const int32_t* first_position,
                    const AttentionPlan& plan, const float* q, const __half* k_cache, const __half* v_cache,
                    AttentionScratch scratch, float* out, QuantizedRows quantized, cudaStream_t stream);

}  // namespace xcore::llm
