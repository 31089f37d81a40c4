// Many tokens: sixteen rows at a time as panels, four tokens at a time against a panel.
#include "llm/matmul/panel_avx2.hpp"

namespace xcore::llm {
namespace {

constexpr int kTile = 4;

inline int32_t dword_at(const void* p) {
  int32_t x;
  __builtin_memcpy(&x, p, 4);
  return x;
}

// results[t][row] for T tokens over `columns` columns.
template <int T>
void floats(const FloatPanel& panel, const float* x, int64_t stride, int32_t columns, float (*results)[kPanelRows]) {
  __m256 low[T], high[T];
  for (int t = 0; t < T; ++t) low[t] = high[t] = _mm256_setzero_ps();
  for (int32_t c = 0; c < columns; ++c) {
    const __m256 w0 = _mm256_load_ps(&panel.w[c][0]), w1 = _mm256_load_ps(&panel.w[c][8]);
    for (int t = 0; t < T; ++t) {
      const __m256 xt = _mm256_broadcast_ss(x + t * stride + c);
      low[t] = _mm256_fmadd_ps(w0, xt, low[t]);
      high[t] = _mm256_fmadd_ps(w1, xt, high[t]);
    }
  }
  for (int t = 0; t < T; ++t) {
    _mm256_store_ps(&results[t][0], low[t]);
    _mm256_store_ps(&results[t][8], high[t]);
  }
}

// Q8_0: |w| against x with the sign of w.
template <int T>
void blocks_q8(const BlockPanel& panel, int side, const int8_t* q, int64_t stride, const float* scale, int64_t scale_stride,
               int32_t count, float (*results)[kPanelRows]) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256 sums[T];
  for (int t = 0; t < T; ++t) sums[t] = _mm256_setzero_ps();
  for (int32_t b = 0; b < count; ++b) {
    __m256i dots[T];
    for (int t = 0; t < T; ++t) dots[t] = _mm256_setzero_si256();
    for (int k = 0; k < 8; ++k) {
      const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(&panel.w[b][k][side][0]));
      const __m256i magnitude = _mm256_abs_epi8(w);
      for (int t = 0; t < T; ++t) {
        const __m256i x = _mm256_set1_epi32(dword_at(q + t * stride + b * kBlock + k * 4));
        dots[t] = _mm256_add_epi32(dots[t], _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(x, w)), ones));
      }
    }
    const __m256 ws = _mm256_load_ps(&panel.scale[b][side]);
    for (int t = 0; t < T; ++t)
      sums[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[t]), _mm256_mul_ps(ws, _mm256_broadcast_ss(scale + t * scale_stride + b)), sums[t]);
  }
  for (int t = 0; t < T; ++t) _mm256_store_ps(&results[t][side], sums[t]);
}

// Q4_0: x + 128 against -8..7. Sixteen products of at most 255 * 8 are below 2^15, so a block is summed in 16 bits.
template <int T>
void blocks_q4(const BlockPanel& panel, int side, const BiasedTokens<kTile>& x, const float* scale, int64_t scale_stride,
               int32_t count, float (*results)[kPanelRows]) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256 sums[T];
  for (int t = 0; t < T; ++t) sums[t] = _mm256_setzero_ps();
  for (int32_t b = 0; b < count; ++b) {
    __m256i pairs[T];
    for (int t = 0; t < T; ++t) pairs[t] = _mm256_setzero_si256();
    for (int k = 0; k < 8; ++k) {
      const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(&panel.w[b][k][side][0]));
      for (int t = 0; t < T; ++t)
        pairs[t] = _mm256_add_epi16(pairs[t], _mm256_maddubs_epi16(_mm256_set1_epi32(dword_at(&x.x[t][b * kBlock + k * 4])), w));
    }
    const __m256 ws = _mm256_load_ps(&panel.scale[b][side]);
    const __m256i bias = _mm256_load_si256(reinterpret_cast<const __m256i*>(&panel.bias[b][side]));
    for (int t = 0; t < T; ++t) {
      const __m256i dot = _mm256_add_epi32(_mm256_madd_epi16(pairs[t], ones), bias);
      sums[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(ws, _mm256_broadcast_ss(scale + t * scale_stride + b)), sums[t]);
    }
  }
  for (int t = 0; t < T; ++t) _mm256_store_ps(&results[t][side], sums[t]);
}

struct Place {
  int32_t row, column, columns;
  int64_t token;
};

template <int T>
void tile_of_floats(const MatmulRows& job, const FloatPanel& panel, const Place& at) {
  const Matrix& w = *job.w;
  alignas(32) float results[T][kPanelRows];
  floats<T>(panel, job.x->x + at.token * w.columns + at.column, w.columns, at.columns, results);
  const int count = job.end - at.row < kPanelRows ? job.end - at.row : kPanelRows;
  for (int t = 0; t < T; ++t) put_results(job.out + (at.token + t) * w.rows + at.row, count, at.column == 0, results[t]);
}

template <int T>
void tile_of_blocks(const MatmulRows& job, const BlockPanel& panel, const Place& at) {
  const Matrix& w = *job.w;
  alignas(32) float results[T][kPanelRows];
  const int64_t scale_stride = w.columns / kBlock;
  const int8_t* q = job.x->quantized.q + at.token * w.columns + at.column;
  const float* scale = job.x->quantized.scale + at.token * scale_stride + at.column / kBlock;
  const int32_t blocks = at.columns / kBlock;
  if (w.type == gguf::TensorType::q4_0) {
    BiasedTokens<kTile> biased;
    bias_tokens(q, w.columns, T, at.columns, biased);
    for (int side = 0; side < kPanelRows; side += 8) blocks_q4<T>(panel, side, biased, scale, scale_stride, blocks, results);
  } else {
    for (int side = 0; side < kPanelRows; side += 8) blocks_q8<T>(panel, side, q, w.columns, scale, scale_stride, blocks, results);
  }
  const int count = job.end - at.row < kPanelRows ? job.end - at.row : kPanelRows;
  for (int t = 0; t < T; ++t) put_results(job.out + (at.token + t) * w.rows + at.row, count, at.column == 0, results[t]);
}

}  // namespace

void gemm_rows_avx2(const MatmulRows& job) {
  const Matrix& w = *job.w;
  const bool blocks = takes_quantized(w.type);
  static thread_local Panel panel;  // not on the stack: some systems give threads 128 KB
  for (int32_t row = job.begin; row < job.end; row += kPanelRows)
    for (int32_t column = 0; column < w.columns; column += kPanelColumns) {
      const int32_t columns = w.columns - column < kPanelColumns ? w.columns - column : kPanelColumns;
      if (blocks)
        pack_blocks(w, row, job.end, column / kBlock, columns / kBlock, panel.blocks);
      else
        pack_floats(w, row, job.end, column, columns, panel.floats);
      int64_t t = 0;
      for (; t + kTile <= job.tokens; t += kTile) {
        if (blocks)
          tile_of_blocks<kTile>(job, panel.blocks, {row, column, columns, t});
        else
          tile_of_floats<kTile>(job, panel.floats, {row, column, columns, t});
      }
      for (; t < job.tokens; ++t) {
        if (blocks)
          tile_of_blocks<1>(job, panel.blocks, {row, column, columns, t});
        else
          tile_of_floats<1>(job, panel.floats, {row, column, columns, t});
      }
    }
}

}  // namespace xcore::llm
