// Many tokens with AVX-512 and VNNI: a panel's sixteen rows are the lanes, eight tokens at a time.
// GCC 12 warns of the undefined vectors that its own AVX-512 header passes on purpose.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "llm/matmul/panel_avx2.hpp"

namespace xcore::llm {
namespace {

constexpr int kTile = 8;
constexpr int kTokensAtOnce = 128;  // their activations plus 128 are laid out once for all rows of a job
using Tokens = BiasedTokens<kTokensAtOnce>;

inline int32_t dword_at(const void* p) {
  int32_t x;
  __builtin_memcpy(&x, p, 4);
  return x;
}

struct Place {
  int32_t row, column, columns;
  int64_t group;  // first of the tokens laid out
  int64_t token, end;
};

inline void put(const MatmulRows& job, const Place& at, int t, __m512 sum) {
  const int count = job.end - at.row < kPanelRows ? job.end - at.row : kPanelRows;
  const __mmask16 lanes = static_cast<__mmask16>((1u << count) - 1);
  float* out = job.out + (at.token + t) * job.w->rows + at.row;
  if (at.column != 0) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(lanes, out));
  _mm512_mask_storeu_ps(out, lanes, sum);
}

template <int T>
void floats(const MatmulRows& job, const FloatPanel& panel, const Place& at) {
  const int64_t stride = job.w->columns;
  const float* x = job.x->x + at.token * stride + at.column;
  __m512 sums[T];
  for (int t = 0; t < T; ++t) sums[t] = _mm512_setzero_ps();
  for (int32_t c = 0; c < at.columns; ++c) {
    const __m512 w = _mm512_load_ps(panel.w[c]);
    for (int t = 0; t < T; ++t) sums[t] = _mm512_fmadd_ps(w, _mm512_set1_ps(x[t * stride + c]), sums[t]);
  }
  for (int t = 0; t < T; ++t) put(job, at, t, sums[t]);
}

template <int T>
void blocks(const MatmulRows& job, const BlockPanel& panel, const Tokens& tokens, const Place& at) {
  const int64_t stride = job.w->columns, scale_stride = stride / kBlock;
  const float* scale = job.x->quantized.scale + at.token * scale_stride + at.column / kBlock;
  const uint8_t(*x)[kPanelColumns] = tokens.x + (at.token - at.group);
  __m512 sums[T];
  for (int t = 0; t < T; ++t) sums[t] = _mm512_setzero_ps();
  for (int32_t b = 0; b < at.columns / kBlock; ++b) {
    const __m512i bias = _mm512_load_si512(panel.bias[b]);
    __m512i dots[T];
    for (int t = 0; t < T; ++t) dots[t] = bias;
    for (int k = 0; k < 8; ++k) {
      const __m512i w = _mm512_load_si512(panel.w[b][k]);
      for (int t = 0; t < T; ++t) dots[t] = _mm512_dpbusd_epi32(dots[t], _mm512_set1_epi32(dword_at(&x[t][b * kBlock + k * 4])), w);
    }
    const __m512 ws = _mm512_load_ps(panel.scale[b]);
    for (int t = 0; t < T; ++t)
      sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[t]), _mm512_mul_ps(ws, _mm512_set1_ps(scale[t * scale_stride + b])), sums[t]);
  }
  for (int t = 0; t < T; ++t) put(job, at, t, sums[t]);
}

template <int T>
int64_t tiles(const MatmulRows& job, const FloatPanel* f, const BlockPanel* b, const Tokens& x, Place at) {
  for (; at.token + T <= at.end; at.token += T) {
    if (f)
      floats<T>(job, *f, at);
    else
      blocks<T>(job, *b, x, at);
  }
  return at.token;
}

}  // namespace

void gemm_rows_avx512(const MatmulRows& job) {
  const Matrix& w = *job.w;
  const bool quantized = takes_quantized(w.type);
  // Not on the stack: some systems give threads 128 KB.
  static thread_local Panel panel;
  static thread_local Tokens x;
  const FloatPanel* f = quantized ? nullptr : &panel.floats;
  const BlockPanel* b = quantized ? &panel.blocks : nullptr;
  for (int64_t group = 0; group < job.tokens; group += kTokensAtOnce) {
    const int64_t end = job.tokens - group < kTokensAtOnce ? job.tokens : group + kTokensAtOnce;
    for (int32_t column = 0; column < w.columns; column += kPanelColumns) {
      const int32_t columns = w.columns - column < kPanelColumns ? w.columns - column : kPanelColumns;
      if (quantized) bias_tokens(job.x->quantized.q + group * w.columns + column, w.columns, static_cast<int>(end - group), columns, x);
      for (int32_t row = job.begin; row < job.end; row += kPanelRows) {
        if (quantized)
          pack_blocks(w, row, job.end, column / kBlock, columns / kBlock, panel.blocks);
        else
          pack_floats(w, row, job.end, column, columns, panel.floats);
        int64_t t = tiles<kTile>(job, f, b, x, {row, column, columns, group, group, end});
        t = tiles<4>(job, f, b, x, {row, column, columns, group, t, end});
        tiles<1>(job, f, b, x, {row, column, columns, group, t, end});
      }
    }
  }
}

}  // namespace xcore::llm
