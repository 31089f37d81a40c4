#include <immintrin.h>

#include "tokenizer/merge/merge_many.hpp"

namespace xcore::tokenizer {
namespace {

struct Avx2 {
  using Vector = __m256i;
  static constexpr uint32_t kLanes = 8;
  static Vector load(const uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store(uint32_t* p, Vector v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static Vector min(Vector a, Vector b) { return _mm256_min_epu32(a, b); }
  static uint32_t lowest(Vector v) {
    __m128i m = _mm_min_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_min_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_min_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
  }
  static Vector all(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static Vector lanes(uint32_t first) { return _mm256_add_epi32(all(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
  static uint32_t bits(Vector v) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(v))); }
  static uint32_t equal(Vector v, uint32_t x) { return bits(_mm256_cmpeq_epi32(v, all(x))); }
  static Vector from(Vector a, Vector b, uint32_t first, uint32_t at) {
    return _mm256_blendv_epi8(b, a, _mm256_cmpgt_epi32(all(at), lanes(first)));
  }
  static Vector put(Vector v, uint32_t first, int at, uint32_t x) {
    return _mm256_blendv_epi8(v, all(x), _mm256_cmpeq_epi32(lanes(first), _mm256_set1_epi32(at)));
  }
  static MergeTables::Found find(const uint64_t* line, uint64_t key) {
    const auto* const halves = reinterpret_cast<const __m256i*>(line);
    const __m256i a = _mm256_load_si256(halves), b = _mm256_load_si256(halves + 1);
    const __m256i k = _mm256_set1_epi64x(static_cast<long long>(key)), none = _mm256_set1_epi64x(-1);
    const auto bits = [](__m256i x, __m256i y) {
      return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(x)) | _mm256_movemask_pd(_mm256_castsi256_pd(y)) << 4);
    };
    const uint32_t here = bits(_mm256_cmpeq_epi64(_mm256_srli_epi64(a, MergeTables::kRankBits), k),
                               _mm256_cmpeq_epi64(_mm256_srli_epi64(b, MergeTables::kRankBits), k));
    const uint32_t free = bits(_mm256_cmpeq_epi64(a, none), _mm256_cmpeq_epi64(b, none));
    const auto rank = static_cast<uint32_t>(line[__builtin_ctz(here | 128)]) & MergeTables::kMaxRanks;
    return {rank | (0u - static_cast<uint32_t>(here == 0)), (here | free) == 0};
  }
};

}  // namespace

void merge_many_avx2(const MergeTables& tables, MergeJob* jobs, size_t count) { MergeMany<Avx2>(tables).run(jobs, count); }

}  // namespace xcore::tokenizer
