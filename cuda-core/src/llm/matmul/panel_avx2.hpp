// Panels: sixteen rows of a weight matrix, up to 1024 columns of them, turned so that a vector lane is a row. Then a
// product with a token's activations is a chain of multiply-adds with a broadcast and needs no sum across lanes. A
// panel fits the first-level cache and is used for all tokens of a call. Included by the AVX2, AVX-512 and AMX files.
#pragma once

#include <immintrin.h>

#include "llm/half/half.hpp"
#include "llm/matmul/matmul_kernels.hpp"

namespace xcore::llm {

static constexpr int kPanelRows = 16;
static constexpr int kPanelColumns = 1024;
static constexpr int kPanelBlocks = kPanelColumns / kBlock;

struct alignas(64) FloatPanel {
  float w[kPanelColumns][kPanelRows];
};
struct alignas(64) BlockPanel {
  int8_t w[kPanelBlocks][8][kPanelRows][4];  // [block][group of four columns][row][column]; Q4_0 as -8..7
  float scale[kPanelBlocks][kPanelRows];
  int32_t bias[kPanelBlocks][kPanelRows];  // -128 * sum of the block's weights: undoes adding 128 to the activations
};

union Panel {
  FloatPanel floats;
  BlockPanel blocks;
};

// Transposes 8 x 8 dwords.
static inline void transpose8(__m256i v[8]) {
  __m256i a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
    a[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
    v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
  }
}

// Rows past the end repeat the last one; what they give is not stored.
static inline const uint8_t* panel_row(const Matrix& w, int32_t first, int32_t end, int i) {
  const int32_t r = first + i < end ? first + i : end - 1;
  return w.data + static_cast<uint64_t>(r) * w.row_bytes;
}

static inline void pack_floats(const Matrix& w, int32_t first, int32_t end, int32_t column, int32_t columns, FloatPanel& panel) {
  const bool half = w.type == gguf::TensorType::f16;
  const size_t bytes = half ? 2 : 4;
  for (int side = 0; side < kPanelRows; side += 8) {
    const uint8_t* rows[8];
    for (int i = 0; i < 8; ++i) rows[i] = panel_row(w, first, end, side + i) + static_cast<size_t>(column) * bytes;
    int32_t c = 0;
    for (; c + 8 <= columns; c += 8) {
      __m256i v[8];
      for (int i = 0; i < 8; ++i) {
        const uint8_t* p = rows[i] + static_cast<size_t>(c) * bytes;
        v[i] = half ? _mm256_castps_si256(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))
                    : _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
      }
      transpose8(v);
      for (int i = 0; i < 8; ++i) _mm256_store_si256(reinterpret_cast<__m256i*>(&panel.w[c + i][side]), v[i]);
    }
    for (; c < columns; ++c)
      for (int i = 0; i < 8; ++i) {
        const uint8_t* p = rows[i] + static_cast<size_t>(c) * bytes;
        uint16_t h;
        if (half) {
          __builtin_memcpy(&h, p, 2);
          panel.w[c][side + i] = _cvtsh_ss(h);
        } else {
          __builtin_memcpy(&panel.w[c][side + i], p, 4);
        }
      }
  }
}

static inline void pack_blocks(const Matrix& w, int32_t first, int32_t end, int32_t block, int32_t blocks, BlockPanel& panel) {
  const bool q4 = w.type == gguf::TensorType::q4_0;
  const size_t bytes = q4 ? sizeof(BlockQ4_0) : sizeof(BlockQ8_0);
  const __m256i ones8 = _mm256_set1_epi8(1), ones16 = _mm256_set1_epi16(1);
  for (int side = 0; side < kPanelRows; side += 8) {
    const uint8_t* rows[8];
    for (int i = 0; i < 8; ++i) rows[i] = panel_row(w, first, end, side + i) + static_cast<size_t>(block) * bytes;
    for (int32_t b = 0; b < blocks; ++b) {
      __m256i v[8];
      for (int i = 0; i < 8; ++i) {
        const uint8_t* p = rows[i] + static_cast<size_t>(b) * bytes;
        uint16_t h;
        __builtin_memcpy(&h, p, 2);
        panel.scale[b][side + i] = _cvtsh_ss(h);
        if (q4) {
          const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2));
          const __m256i nibbles = _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(q), _mm_srli_epi16(q, 4), 1), _mm256_set1_epi8(15));
          v[i] = _mm256_sub_epi8(nibbles, _mm256_set1_epi8(8));
        } else {
          v[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 2));
        }
      }
      transpose8(v);
      __m256i sum = _mm256_setzero_si256();
      for (int k = 0; k < 8; ++k) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(&panel.w[b][k][side][0]), v[k]);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(ones8, v[k]), ones16));
      }
      _mm256_store_si256(reinterpret_cast<__m256i*>(&panel.bias[b][side]), _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), sum), 7));
    }
  }
}

// Activations of up to `Tokens` tokens plus 128, as the unsigned operand of byte products.
template <int Tokens>
struct alignas(64) BiasedTokens {
  uint8_t x[Tokens][kPanelColumns];
};
template <int Tokens>
static inline void bias_tokens(const int8_t* q, int64_t stride, int tokens, int32_t columns, BiasedTokens<Tokens>& out) {
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80));
  for (int t = 0; t < tokens; ++t)
    for (int32_t c = 0; c < columns; c += kBlock)
      _mm256_store_si256(reinterpret_cast<__m256i*>(&out.x[t][c]),
                         _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + t * stride + c)), flip));
}

// Adds (or, for the first columns, stores) sixteen results of one token; `count` of them exist.
static inline void put_results(float* out, int count, bool first, const float* results) {
  for (int i = 0; i < count; ++i) out[i] = first ? results[i] : out[i] + results[i];
}

}  // namespace xcore::llm
