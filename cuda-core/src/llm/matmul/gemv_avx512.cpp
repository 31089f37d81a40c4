// One token with AVX-512 and VNNI: two blocks of a row a vector. dpbusd multiplies unsigned by signed bytes, so weights
// go in unsigned (Q8_0: w + 128, Q4_0: the nibble) and the excess, a multiple of the activations' sum, is the dot
// product's starting value; it is the same for all rows.
// GCC 12 warns of the undefined vectors that its own AVX-512 header passes on purpose.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "llm/half/half.hpp"
#include "llm/matmul/matmul_kernels.hpp"

namespace xcore::llm {
namespace {

using gguf::TensorType;

inline uint16_t half_at(const uint8_t* p) {
  uint16_t h;
  __builtin_memcpy(&h, p, 2);
  return h;
}

template <bool Half, int R>
void floats(const uint8_t* const* rows, const float* x, int32_t columns, float* out) {
  constexpr size_t kBytes = Half ? 2 : 4;
  __m512 even[R], odd[R];
  for (int r = 0; r < R; ++r) even[r] = odd[r] = _mm512_setzero_ps();
  const auto load = [](const uint8_t* p, __mmask16 lanes) {
    return Half ? _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, p)) : _mm512_maskz_loadu_ps(lanes, p);
  };
  int32_t c = 0;
  for (; c + 32 <= columns; c += 32) {
    const __m512 x0 = _mm512_loadu_ps(x + c), x1 = _mm512_loadu_ps(x + c + 16);
    for (int r = 0; r < R; ++r) {
      const uint8_t* p = rows[r] + static_cast<size_t>(c) * kBytes;
      even[r] = _mm512_fmadd_ps(load(p, 0xFFFF), x0, even[r]);
      odd[r] = _mm512_fmadd_ps(load(p + 16 * kBytes, 0xFFFF), x1, odd[r]);
    }
  }
  for (; c < columns; c += 16) {
    const __mmask16 lanes = columns - c >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << (columns - c)) - 1);
    const __m512 x0 = _mm512_maskz_loadu_ps(lanes, x + c);
    for (int r = 0; r < R; ++r) even[r] = _mm512_fmadd_ps(load(rows[r] + static_cast<size_t>(c) * kBytes, lanes), x0, even[r]);
  }
  for (int r = 0; r < R; ++r) out[r] = _mm512_reduce_add_ps(_mm512_add_ps(even[r], odd[r]));
}

struct BlocksQ8 {
  static constexpr int kBytes = 34;
  static constexpr int kExcess = 128;
  static __m512i two(const uint8_t* p) {
    const __m512i w = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 2))),
                                         _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + kBytes + 2)), 1);
    return _mm512_xor_si512(w, _mm512_set1_epi8(static_cast<char>(0x80)));
  }
  static __m256i one(const uint8_t* p) {
    return _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 2)), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
};
struct BlocksQ4 {
  static constexpr int kBytes = 18;
  static constexpr int kExcess = 8;
  static __m512i two(const uint8_t* p) {
    // Sixteen bytes of each block twice, low nibbles from the first copy and high ones from the second.
    const __m512i q = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2))), 0xFF00,
                                                  _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + kBytes + 2)));
    const __m512i shifts = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4);
    return _mm512_and_si512(_mm512_srlv_epi32(q, shifts), _mm512_set1_epi8(15));
  }
  static __m256i one(const uint8_t* p) {
    const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2));
    return _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(q), _mm_srli_epi16(q, 4), 1), _mm256_set1_epi8(15));
  }
};

// Rows are short, and the processor's own prefetcher stops at the end of a page of the mapped file: so the next rows are
// asked for here, `ahead` bytes from these.
template <class Blocks, int R>
void blocks(const uint8_t* const* rows, const int8_t* q, const float* scale, int32_t count, size_t ahead, float* out) {
  static_assert(R == 1 || R == 4, "the scales of four rows and two blocks make one vector");
  const __m512i excess = _mm512_set1_epi8(static_cast<char>(Blocks::kExcess));
  __m512 sums[R];
  for (int r = 0; r < R; ++r) sums[r] = _mm512_setzero_ps();
  int32_t b = 0;
  for (; b + 2 <= count; b += 2) {
    const size_t at = static_cast<size_t>(b) * Blocks::kBytes;
    const __m512i x = _mm512_loadu_si512(q + static_cast<size_t>(b) * 32);
    const __m512i start = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_dpbusd_epi32(_mm512_setzero_si512(), excess, x));
    __m128i packed = _mm_cvtsi32_si128(half_at(rows[0] + at));
    packed = _mm_insert_epi16(packed, half_at(rows[0] + at + Blocks::kBytes), 1);
    if (R == 4) {
      packed = _mm_insert_epi16(packed, half_at(rows[1 % R] + at), 2);
      packed = _mm_insert_epi16(packed, half_at(rows[1 % R] + at + Blocks::kBytes), 3);
      __m128i upper = _mm_cvtsi32_si128(half_at(rows[2 % R] + at));
      upper = _mm_insert_epi16(upper, half_at(rows[2 % R] + at + Blocks::kBytes), 1);
      upper = _mm_insert_epi16(upper, half_at(rows[3 % R] + at), 2);
      upper = _mm_insert_epi16(upper, half_at(rows[3 % R] + at + Blocks::kBytes), 3);
      packed = _mm_unpacklo_epi64(packed, upper);
    }
    double pair;  // both activation scales as one 64-bit lane
    __builtin_memcpy(&pair, scale + b, 8);
    const __m256 scales = _mm256_mul_ps(_mm256_cvtph_ps(packed), _mm256_castpd_ps(_mm256_set1_pd(pair)));
    for (int r = 0; r < R; ++r) {
      const __m512i lanes = _mm512_setr_epi32(2 * r, 2 * r, 2 * r, 2 * r, 2 * r, 2 * r, 2 * r, 2 * r, 2 * r + 1, 2 * r + 1, 2 * r + 1,
                                              2 * r + 1, 2 * r + 1, 2 * r + 1, 2 * r + 1, 2 * r + 1);
      const __m512 factor = _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(scales));
      _mm_prefetch(reinterpret_cast<const char*>(rows[r] + at + ahead), _MM_HINT_T0);
      const __m512i dot = _mm512_dpbusd_epi32(start, Blocks::two(rows[r] + at), x);
      sums[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), factor, sums[r]);
    }
  }
  for (int r = 0; r < R; ++r) {
    if (b < count) {  // an odd block is left
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + static_cast<size_t>(b) * 32));
      const __m256i start = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm512_castsi512_si256(excess), x));
      const uint8_t* p = rows[r] + static_cast<size_t>(b) * Blocks::kBytes;
      const __m256 dot = _mm256_cvtepi32_ps(_mm256_dpbusd_epi32(start, Blocks::one(p), x));
      const __m256 last = _mm256_mul_ps(dot, _mm256_set1_ps(_cvtsh_ss(half_at(p)) * scale[b]));
      sums[r] = _mm512_add_ps(sums[r], _mm512_zextps256_ps512(last));
    }
    out[r] = _mm512_reduce_add_ps(sums[r]);
  }
}

template <int R>
void some_rows(const MatmulRows& job, int64_t t, int32_t first) {
  const Matrix& w = *job.w;
  const uint8_t* rows[R];
  for (int r = 0; r < R; ++r) rows[r] = w.data + static_cast<uint64_t>(first + r) * w.row_bytes;
  float* out = job.out + t * w.rows + first;
  const float* x = job.x->x + t * w.columns;
  const int8_t* q = job.x->quantized.q + t * w.columns;
  const float* scale = job.x->quantized.scale + t * (w.columns / kBlock);
  switch (w.type) {
    case TensorType::f32: return floats<false, R>(rows, x, w.columns, out);
    case TensorType::f16: return floats<true, R>(rows, x, w.columns, out);
    case TensorType::q8_0: return blocks<BlocksQ8, R>(rows, q, scale, w.columns / kBlock, R * w.row_bytes, out);
    default: return blocks<BlocksQ4, R>(rows, q, scale, w.columns / kBlock, R * w.row_bytes, out);
  }
}

}  // namespace

void gemv_rows_avx512(const MatmulRows& job) {
  int32_t r = job.begin;
  for (; r + 4 <= job.end; r += 4)
    for (int64_t t = 0; t < job.tokens; ++t) some_rows<4>(job, t, r);
  for (; r < job.end; ++r)
    for (int64_t t = 0; t < job.tokens; ++t) some_rows<1>(job, t, r);
}

}  // namespace xcore::llm
