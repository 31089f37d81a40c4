#include <math.h>

#include "llm/attention/attention_kernels.hpp"
#include "llm/exp_avx2.hpp"
#include "llm/half/half.hpp"

namespace xcore::llm {
namespace {

struct Rows {
  const float* q[kAttentionRows];
  float* out[kAttentionRows];
  int64_t visible[kAttentionRows];  // positions the row may see
  float largest[kAttentionRows];
  float total[kAttentionRows];
};

inline __m256 load_half8(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }

// scores[r][p] = dot(q[r], k[p]) for `count` positions; a key is expanded once for all R rows.
template <int R>
void score(const Rows& rows, int first, const uint16_t* k, int64_t stride, int count, int32_t head_dim,
           float (*scores)[kAttentionPositions]) {
  const int32_t whole = head_dim & ~7;
  for (int p = 0; p < count; ++p, k += stride) {
    __m256 sums[R];
    for (int r = 0; r < R; ++r) sums[r] = _mm256_setzero_ps();
    for (int32_t c = 0; c < whole; c += 8) {
      const __m256 key = load_half8(k + c);
      for (int r = 0; r < R; ++r) sums[r] = _mm256_fmadd_ps(_mm256_loadu_ps(rows.q[first + r] + c), key, sums[r]);
    }
    for (int r = 0; r < R; ++r) scores[first + r][p] = sum_avx2(sums[r]);
    for (int32_t c = whole; c < head_dim; ++c) {
      const float key = float_from_half(k[c]);
      for (int r = 0; r < R; ++r) scores[first + r][p] += rows.q[first + r][c] * key;
    }
  }
}

// out[r] += sum over p of weights[r][p] * v[p].
template <int R>
void accumulate(const Rows& rows, int first, const uint16_t* v, int64_t stride, int count, int32_t head_dim,
                const float (*weights)[kAttentionPositions]) {
  const int32_t whole = head_dim & ~7;
  for (int32_t c = 0; c < whole; c += 8) {
    __m256 sums[R];
    for (int r = 0; r < R; ++r) sums[r] = _mm256_loadu_ps(rows.out[first + r] + c);
    const uint16_t* value = v + c;
    for (int p = 0; p < count; ++p, value += stride) {
      const __m256 x = load_half8(value);
      for (int r = 0; r < R; ++r) sums[r] = _mm256_fmadd_ps(_mm256_broadcast_ss(&weights[first + r][p]), x, sums[r]);
    }
    for (int r = 0; r < R; ++r) _mm256_storeu_ps(rows.out[first + r] + c, sums[r]);
  }
  for (int32_t c = whole; c < head_dim; ++c)
    for (int p = 0; p < count; ++p) {
      const float x = float_from_half(v[p * stride + c]);
      for (int r = 0; r < R; ++r) rows.out[first + r][c] += weights[first + r][p] * x;
    }
}

// Turns the scores of one row into weights against its running maximum, and rescales what was summed before.
void weigh(Rows& rows, int r, float* scores, int64_t begin, int count, float scale, int32_t head_dim) {
  const int64_t visible = rows.visible[r] - begin;
  const int seen = visible < count ? (visible > 0 ? static_cast<int>(visible) : 0) : count;
  for (int p = seen; p < ((count + 7) & ~7); ++p) scores[p] = -INFINITY;
  if (seen == 0) {
    for (int p = 0; p < count; ++p) scores[p] = 0;
    return;
  }
  float largest = rows.largest[r];
  for (int p = 0; p < seen; ++p) {
    scores[p] *= scale;
    largest = scores[p] > largest ? scores[p] : largest;
  }
  if (largest > rows.largest[r]) {
    const float shrink = expf(rows.largest[r] - largest);  // 0 in the first block
    rows.total[r] *= shrink;
    for (int32_t c = 0; c < head_dim; ++c) rows.out[r][c] *= shrink;
    rows.largest[r] = largest;
  }
  const __m256 shift = _mm256_set1_ps(largest);
  __m256 sum = _mm256_setzero_ps();
  for (int p = 0; p < count; p += 8) {
    const __m256 e = exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(scores + p), shift));
    _mm256_storeu_ps(scores + p, e);
    sum = _mm256_add_ps(sum, e);
  }
  rows.total[r] += sum_avx2(sum);
}

}  // namespace

void attention_tile_avx2(const AttentionTile& tile) {
  const AttentionShape& s = *tile.shape;
  const int32_t group = s.heads / s.kv_heads;
  const int64_t stride = static_cast<int64_t>(s.kv_heads) * s.head_dim;
  const float scale = 1.0f / sqrtf(static_cast<float>(s.head_dim));
  const int count = static_cast<int>(tile.row_end - tile.row_begin);
  Rows rows = {};
  for (int i = 0; i < count; ++i) {
    const int64_t row = tile.row_begin + i, token = row / group;
    const int64_t place = (token * s.heads + static_cast<int64_t>(tile.kv_head) * group + row % group) * s.head_dim;
    rows.q[i] = tile.q + place;
    rows.out[i] = tile.out + place;
    rows.visible[i] = s.first_position + token + 1;
    rows.largest[i] = -INFINITY;
    rows.total[i] = 0;
    for (int32_t c = 0; c < s.head_dim; ++c) rows.out[i][c] = 0;
  }
  alignas(32) float scores[kAttentionRows][kAttentionPositions];
  const int64_t positions = rows.visible[count - 1];  // the last row sees the most
  for (int64_t begin = 0; begin < positions; begin += kAttentionPositions) {
    const int block = static_cast<int>(positions - begin < kAttentionPositions ? positions - begin : kAttentionPositions);
    const uint16_t* k = tile.k + begin * stride + static_cast<int64_t>(tile.kv_head) * s.head_dim;
    const uint16_t* v = tile.v + begin * stride + static_cast<int64_t>(tile.kv_head) * s.head_dim;
    int r = 0;
    for (; r + 4 <= count; r += 4) score<4>(rows, r, k, stride, block, s.head_dim, scores);
    for (; r + 2 <= count; r += 2) score<2>(rows, r, k, stride, block, s.head_dim, scores);
    for (; r < count; ++r) score<1>(rows, r, k, stride, block, s.head_dim, scores);
    for (r = 0; r < count; ++r) weigh(rows, r, scores[r], begin, block, scale, s.head_dim);
    for (r = 0; r + 4 <= count; r += 4) accumulate<4>(rows, r, v, stride, block, s.head_dim, scores);
    for (; r + 2 <= count; r += 2) accumulate<2>(rows, r, v, stride, block, s.head_dim, scores);
    for (; r < count; ++r) accumulate<1>(rows, r, v, stride, block, s.head_dim, scores);
  }
  for (int i = 0; i < count; ++i) {
    const float inverse = 1.0f / rows.total[i];
    for (int32_t c = 0; c < s.head_dim; ++c) rows.out[i][c] *= inverse;
  }
}

}  // namespace xcore::llm
