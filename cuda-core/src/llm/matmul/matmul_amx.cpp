// Many tokens with AMX: one tile product is a block of 32 columns for sixteen tokens and sixteen rows. The activations
// are the left operand and are loaded from where they lie; a panel's block is the right operand in the very layout that
// the instruction wants ([group of four columns][row][column]). Scales differ from block to block, so each product's
// sums go through memory into vectors, where they are scaled and added in the order of gemm_avx512.cpp: same bits.
// GCC 12 warns of the undefined vectors that its own AVX-512 header passes on purpose.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "llm/matmul/panel_avx2.hpp"

namespace xcore::llm {
namespace {

constexpr int kTileTokens = 16;
// Their activations for a panel's columns stay in the second-level cache (512 KB) while the panels go by.
constexpr int64_t kTokensAtOnce = 512;
// Products started before the sums of the current one are needed: a product takes longer than scaling its sums.
constexpr int kAhead = 2, kSumsKept = 4;

struct alignas(64) TileConfig {  // the operand of LDTILECFG
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 32, 64, 64, 32, 64};  // two sets of: sums, activations, weights
  uint8_t rows[16] = {kTileTokens, kTileTokens, kBlock / 4, kTileTokens, kTileTokens, kBlock / 4};
};
static_assert(sizeof(TileConfig) == 64, "LDTILECFG reads 64 bytes");
constexpr TileConfig kConfig;

using Sums = int32_t[kTileTokens][kPanelRows];

// Two sets of tiles, so that a product need not wait for the one before it to leave its tile.
inline void start_product(bool odd, const int8_t* q, int64_t stride, const void* w, Sums& out) {
  if (odd) {
    _tile_zero(3);
    _tile_loadd(4, q, stride);
    _tile_loadd(5, w, kPanelRows * 4);
    _tile_dpbssd(3, 4, 5);
    _tile_stored(3, out, kPanelRows * 4);
  } else {
    _tile_zero(0);
    _tile_loadd(1, q, stride);
    _tile_loadd(2, w, kPanelRows * 4);
    _tile_dpbssd(0, 1, 2);
    _tile_stored(0, out, kPanelRows * 4);
  }
}

struct Place {
  int32_t row, column, columns;
  int64_t token;
  int done;  // of the sixteen tokens, those already stored
};

void tile(const MatmulRows& job, const BlockPanel& panel, const Place& at) {
  const int64_t stride = job.w->columns, scale_stride = stride / kBlock;
  const int8_t* q = job.x->quantized.q + at.token * stride + at.column;
  const float* scale = job.x->quantized.scale + at.token * scale_stride + at.column / kBlock;
  const int32_t blocks = at.columns / kBlock;
  alignas(64) Sums dots[kSumsKept];
  __m512 sums[kTileTokens];
  for (int t = 0; t < kTileTokens; ++t) sums[t] = _mm512_setzero_ps();
  const auto start = [&](int32_t b) { start_product(b & 1, q + b * kBlock, stride, panel.w[b], dots[b % kSumsKept]); };
  for (int32_t b = 0; b < kAhead && b < blocks; ++b) start(b);
  for (int32_t b = 0; b < blocks; ++b) {
    if (b + kAhead < blocks) start(b + kAhead);
    const __m512 ws = _mm512_load_ps(panel.scale[b]);
    for (int t = 0; t < kTileTokens; ++t)
      sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(dots[b % kSumsKept][t])),
                                _mm512_mul_ps(ws, _mm512_set1_ps(scale[t * scale_stride + b])), sums[t]);
  }
  const int count = job.end - at.row < kPanelRows ? job.end - at.row : kPanelRows;
  const __mmask16 lanes = static_cast<__mmask16>((1u << count) - 1);
  for (int t = 0; t < kTileTokens; ++t) {
    if (t < at.done) continue;
    float* out = job.out + (at.token + t) * job.w->rows + at.row;
    if (at.column != 0) sums[t] = _mm512_add_ps(sums[t], _mm512_maskz_loadu_ps(lanes, out));
    _mm512_mask_storeu_ps(out, lanes, sums[t]);
  }
}

}  // namespace

void gemm_rows_amx(const MatmulRows& job) {
  const Matrix& w = *job.w;
  if (!takes_quantized(w.type) || job.tokens < kTileTokens) return gemm_rows_avx512(job);
  static thread_local BlockPanel panel;  // not on the stack: some systems give threads 128 KB
  _tile_loadconfig(&kConfig);
  for (int64_t group = 0; group < job.tokens; group += kTokensAtOnce) {
    const int64_t end = job.tokens - group < kTokensAtOnce ? job.tokens : group + kTokensAtOnce;
    for (int32_t column = 0; column < w.columns; column += kPanelColumns) {
      const int32_t columns = w.columns - column < kPanelColumns ? w.columns - column : kPanelColumns;
      for (int32_t row = job.begin; row < job.end; row += kPanelRows) {
        pack_blocks(w, row, job.end, column / kBlock, columns / kBlock, panel);
        // GCC's tile loads do not say that they read memory: the panel must be written before them.
        __asm__ volatile("" ::: "memory");
        for (int64_t t = group; t < end; t += kTileTokens) {
          // The last tile reaches back over tokens that are done, so that no activations past the end are read.
          const int64_t first = t + kTileTokens <= job.tokens ? t : job.tokens - kTileTokens;
          tile(job, panel, {row, column, columns, first, static_cast<int>(t - first)});
        }
      }
    }
  }
  _tile_release();
}

}  // namespace xcore::llm
