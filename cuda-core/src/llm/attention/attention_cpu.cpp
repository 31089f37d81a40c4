#include <algorithm>
#include <cmath>

#include "llm/attention/attention_kernels.hpp"
#include "llm/half/half.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

static void attention_tile_portable(const AttentionTile& tile) {
  const AttentionShape& s = *tile.shape;
  const int32_t group = s.heads / s.kv_heads;
  const int64_t kv_width = static_cast<int64_t>(s.kv_heads) * s.head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
  const uint16_t* k_head = tile.k + static_cast<int64_t>(tile.kv_head) * s.head_dim;
  const uint16_t* v_head = tile.v + static_cast<int64_t>(tile.kv_head) * s.head_dim;
  for (int64_t r = tile.row_begin; r < tile.row_end; ++r) {
    const int64_t token = r / group;
    const int64_t place = (token * s.heads + static_cast<int64_t>(tile.kv_head) * group + r % group) * s.head_dim;
    const float* q = tile.q + place;
    float* out = tile.out + place;
    std::fill(out, out + s.head_dim, 0.0f);
    float largest = -INFINITY, total = 0;
    const int64_t visible = s.first_position + token + 1;
    for (int64_t p = 0; p < visible; ++p) {
      const uint16_t* k = k_head + p * kv_width;
      const uint16_t* v = v_head + p * kv_width;
      float score = 0;
      for (int32_t i = 0; i < s.head_dim; ++i) score += q[i] * float_from_half(k[i]);
      score *= scale;
      if (score > largest) {
        const float shrink = std::exp(largest - score);
        total *= shrink;
        for (int32_t i = 0; i < s.head_dim; ++i) out[i] *= shrink;
        largest = score;
      }
      const float weight = std::exp(score - largest);
      total += weight;
      for (int32_t i = 0; i < s.head_dim; ++i) out[i] += weight * float_from_half(v[i]);
    }
    for (int32_t i = 0; i < s.head_dim; ++i) out[i] /= total;
  }
}

void attention_cpu(const AttentionShape& s, const float* q, const uint16_t* k_cache, const uint16_t* v_cache, float* out,
                   CpuLevel level) {
  auto kernel = attention_tile_portable;
#if defined(__x86_64__)
  if (level >= CpuLevel::avx2) kernel = attention_tile_avx2;
#endif
  const int64_t positions = static_cast<int64_t>(s.first_position) + s.tokens;
  const int64_t rows = static_cast<int64_t>(s.tokens) * (s.heads / s.kv_heads);
  const int64_t tiles = (rows + kAttentionRows - 1) / kAttentionRows;
  const trace::OpTimer timer("llm.attention", kCpu, static_cast<uint64_t>(positions) * static_cast<uint64_t>(s.kv_heads) * static_cast<uint64_t>(s.head_dim) * 4);
  const int64_t work = positions * s.head_dim * std::min<int64_t>(rows, kAttentionRows);  // multiplications of a tile, halved
  thread_pool().parallel_for(tiles * s.kv_heads, std::max<int64_t>(1, 100000 / work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / s.kv_heads * kAttentionRows;
      kernel({&s, q, k_cache, v_cache, out, static_cast<int32_t>(i % s.kv_heads), row, std::min<int64_t>(row + kAttentionRows, rows)});
    }
  });
}

}  // namespace xcore::llm
