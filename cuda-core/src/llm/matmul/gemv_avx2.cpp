// One token: each weight is used once, straight from the file's layout. Four rows at a time share the loads of the
// activations and keep enough loads in flight.
#include <immintrin.h>

#include "llm/half/half.hpp"
#include "llm/matmul/matmul_kernels.hpp"

namespace xcore::llm {
namespace {

using gguf::TensorType;

inline float sum8(__m256 v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

inline uint16_t half_at(const uint8_t* p) {
  uint16_t h;
  __builtin_memcpy(&h, p, 2);
  return h;
}

struct LoadF32 {
  static constexpr int kBytes = 4;
  static __m256 eight(const uint8_t* p) { return _mm256_loadu_ps(reinterpret_cast<const float*>(p)); }
  static float one(const uint8_t* p) {
    float x;
    __builtin_memcpy(&x, p, 4);
    return x;
  }
};
struct LoadF16 {
  static constexpr int kBytes = 2;
  static __m256 eight(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static float one(const uint8_t* p) { return _cvtsh_ss(half_at(p)); }
};

template <class Load, int R>
void floats(const uint8_t* const* rows, const float* x, int32_t columns, float* out) {
  __m256 even[R], odd[R];
  for (int r = 0; r < R; ++r) even[r] = odd[r] = _mm256_setzero_ps();
  int32_t c = 0;
  for (; c + 16 <= columns; c += 16) {
    const __m256 x0 = _mm256_loadu_ps(x + c), x1 = _mm256_loadu_ps(x + c + 8);
    for (int r = 0; r < R; ++r) {
      const uint8_t* p = rows[r] + static_cast<size_t>(c) * Load::kBytes;
      even[r] = _mm256_fmadd_ps(Load::eight(p), x0, even[r]);
      odd[r] = _mm256_fmadd_ps(Load::eight(p + 8 * Load::kBytes), x1, odd[r]);
    }
  }
  for (int r = 0; r < R; ++r) {
    float sum = sum8(_mm256_add_ps(even[r], odd[r]));
    for (int32_t i = c; i < columns; ++i) sum += Load::one(rows[r] + static_cast<size_t>(i) * Load::kBytes) * x[i];
    out[r] = sum;
  }
}

struct BlocksQ8 {
  static constexpr int kBytes = 34;
  // maddubs wants one operand unsigned: |w| and x with the sign of w. |w| <= 128 and |x| <= 127, so nothing saturates.
  static __m256i pairs(const uint8_t* block, __m256i x, __m256i) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 2));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
  }
  static __m256i correction(__m256i) { return _mm256_setzero_si256(); }
};
struct BlocksQ4 {
  static constexpr int kBytes = 18;
  static __m256i pairs(const uint8_t* block, __m256i x, __m256i correction) {
    const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2));
    const __m256i nibbles = _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(q), _mm_srli_epi16(q, 4), 1), _mm256_set1_epi8(15));
    return _mm256_sub_epi16(_mm256_maddubs_epi16(nibbles, x), correction);
  }
  static __m256i correction(__m256i x) { return _mm256_maddubs_epi16(_mm256_set1_epi8(8), x); }
};

// Rows are short, and the processor's own prefetcher stops at the end of a page of the mapped file: so the next rows are
// asked for here, `ahead` bytes from these.
template <class Blocks, int R>
void blocks(const uint8_t* const* rows, const int8_t* q, const float* scale, int32_t count, size_t ahead, float* out) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256 sums[R];
  for (int r = 0; r < R; ++r) sums[r] = _mm256_setzero_ps();
  for (int32_t b = 0; b < count; ++b) {
    const size_t at = static_cast<size_t>(b) * Blocks::kBytes;
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + static_cast<size_t>(b) * 32));
    const __m256i correction = Blocks::correction(x);
    __m128i halves = _mm_setzero_si128();
    halves = _mm_insert_epi16(halves, half_at(rows[0] + at), 0);
    if (R > 1) {
      halves = _mm_insert_epi16(halves, half_at(rows[1 % R] + at), 1);
      halves = _mm_insert_epi16(halves, half_at(rows[2 % R] + at), 2);
      halves = _mm_insert_epi16(halves, half_at(rows[3 % R] + at), 3);
    }
    alignas(16) float scales[4];
    _mm_store_ps(scales, _mm_mul_ps(_mm_cvtph_ps(halves), _mm_set1_ps(scale[b])));
    for (int r = 0; r < R; ++r) {
      if (b % 2 == 0) _mm_prefetch(reinterpret_cast<const char*>(rows[r] + at + ahead), _MM_HINT_T0);
      const __m256i dot = _mm256_madd_epi16(Blocks::pairs(rows[r] + at, x, correction), ones);
      sums[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_broadcast_ss(&scales[r]), sums[r]);
    }
  }
  for (int r = 0; r < R; ++r) out[r] = sum8(sums[r]);
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
    case TensorType::f32: return floats<LoadF32, R>(rows, x, w.columns, out);
    case TensorType::f16: return floats<LoadF16, R>(rows, x, w.columns, out);
    case TensorType::q8_0: return blocks<BlocksQ8, R>(rows, q, scale, w.columns / kBlock, R * w.row_bytes, out);
    default: return blocks<BlocksQ4, R>(rows, q, scale, w.columns / kBlock, R * w.row_bytes, out);
  }
}

}  // namespace

void gemv_rows_avx2(const MatmulRows& job) {
  int32_t r = job.begin;
  for (; r + 4 <= job.end; r += 4)
    for (int64_t t = 0; t < job.tokens; ++t) some_rows<4>(job, t, r);
  for (; r < job.end; ++r)
    for (int64_t t = 0; t < job.tokens; ++t) some_rows<1>(job, t, r);
}

}  // namespace xcore::llm
