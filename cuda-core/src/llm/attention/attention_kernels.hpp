// The kernels behind attention_cpu. The queries that read one cache head are its rows: row r is token r / group of head
// kv_head * group + r % group, group = heads / kv_heads. A kernel does up to kAttentionRows consecutive rows.
//
// One pass over the cache in blocks of positions, with a running maximum and sum per row (M. Milakov, N. Gimelshein,
// "Online normalizer calculation for softmax", arXiv:1805.02867), so that memory does not grow with the context.
#pragma once

#include "llm/attention/attention.hpp"

namespace xcore::llm {

inline constexpr int kAttentionRows = 8;
inline constexpr int kAttentionPositions = 64;

struct AttentionTile {
  const AttentionShape* shape;
  const float* q;
  const uint16_t* k;
  const uint16_t* v;
  float* out;
  int32_t kv_head;
  int64_t row_begin, row_end;
};
void attention_tile_avx2(const AttentionTile& tile);

}  // namespace xcore::llm
