#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 says this of its own reductions
#endif
#include <immintrin.h>

#include "tokenizer/merge/merge_many.hpp"

namespace xcore::tokenizer {
namespace {

struct Avx512 {
  using Vector = __m512i;
  static constexpr uint32_t kLanes = 16;
  static Vector load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static void store(uint32_t* p, Vector v) { _mm512_storeu_si512(p, v); }
  static Vector all(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static Vector min(Vector a, Vector b) { return _mm512_min_epu32(a, b); }
  static uint32_t lowest(Vector v) { return _mm512_reduce_min_epu32(v); }
  static uint32_t equal(Vector v, uint32_t x) { return _mm512_cmpeq_epi32_mask(v, all(x)); }
  static Vector from(Vector a, Vector b, uint32_t first, uint32_t at) {
    return _mm512_mask_mov_epi32(a, static_cast<__mmask16>(~uint64_t{0} << at >> first), b);
  }
  static Vector put(Vector v, uint32_t first, int at, uint32_t x) {
    return _mm512_mask_set1_epi32(v, static_cast<__mmask16>(uint64_t{1} << (at + 1) >> (first + 1)), static_cast<int>(x));
  }
  static MergeTables::Found find(const uint64_t* line, uint64_t key) {
    const __m512i slots = _mm512_load_si512(line);
    const __mmask8 here = _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(slots, MergeTables::kRankBits), _mm512_set1_epi64(static_cast<long long>(key)));
    const __mmask8 free = _mm512_cmpeq_epi64_mask(slots, _mm512_set1_epi64(-1));
    const auto slot = static_cast<uint32_t>(_mm512_cvtsi512_si32(_mm512_maskz_compress_epi64(here, slots)));
    return {(slot & MergeTables::kMaxRanks) | (0u - static_cast<uint32_t>(here == 0)), (here | free) == 0};
  }
};

}  // namespace

void merge_many_avx512(const MergeTables& tables, MergeJob* jobs, size_t count) { MergeMany<Avx512>(tables).run(jobs, count); }

}  // namespace xcore::tokenizer
