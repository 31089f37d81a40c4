#if defined(__x86_64__)
#include <immintrin.h>

// GCC 12 warns of the undefined pass-through operand inside its own intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "te/network/ksg/ksg_pairs_lists.hpp"
#include "te/network/ksg/ksg_pairs_scan.hpp"

namespace xcore::te {
namespace {

struct Avx512 {
  using type = __m512d;
  using Count = __m512i;
  static constexpr int width = 8;
  static type load(const double* p) { return _mm512_loadu_pd(p); }
  static type set(double x) { return _mm512_set1_pd(x); }
  static void store(double* p, type a) { _mm512_storeu_pd(p, a); }
  static type sub(type a, type b) { return _mm512_sub_pd(a, b); }
  static type mul(type a, type b) { return _mm512_mul_pd(a, b); }
  static void truncate(int32_t* to, type a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvttpd_epi32(a)); }
  static type min(type a, type b) { return _mm512_min_pd(a, b); }
  static type max(type a, type b) { return _mm512_max_pd(a, b); }
  static type far(type a, type b) { return _mm512_range_pd(a, b, 0x0b); }  // the larger magnitude, its sign cleared
  static Count zero_count() { return _mm512_setzero_si512(); }
  static Count add_less(Count c, type a, type b) {
    return _mm512_mask_sub_epi64(c, _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), c, _mm512_set1_epi64(-1));
  }
  static bool all_less_equal(type a, type b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ) == 0xff; }
  static void store_count(int64_t* p, Count c) { _mm512_storeu_si512(p, c); }
  static uint32_t less_mask(type a, type b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
  static int64_t count_within(const uint16_t* ranks, int64_t begin, int64_t end, uint16_t low, uint16_t last) {
    const __m512i l = _mm512_set1_epi16(static_cast<int16_t>(low)), w = _mm512_set1_epi16(static_cast<int16_t>(last));
    const auto inside = [&](int64_t j) { return _mm512_cmple_epu16_mask(_mm512_sub_epi16(_mm512_loadu_si512(ranks + j), l), w); };
    int64_t count = 0, j = begin;
    for (; j + 32 <= end; j += 32) count += __builtin_popcount(inside(j));
    if (j < end) count += __builtin_popcount(inside(j) & ((1u << (end - j)) - 1));
    return count;
  }
  static void append(double* to, uint32_t* ranks, uint32_t mask, type values, uint32_t first) {
    const __m256i rank = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(first)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    // Compressed in registers: a compressing store is microcoded on some processors.
    _mm512_storeu_pd(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(mask), values));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(ranks), _mm256_maskz_compress_epi32(static_cast<__mmask8>(mask), rank));
  }
};

}  // namespace

void pairs_scan_avx512(const PairsScan& scan, int64_t begin, int64_t end) { scan_pairs<Avx512>(scan, begin, end); }

void pairs_lists_avx512(const PairsLists& lists, int64_t begin, int64_t end) { fill_lists<Avx512>(lists, begin, end); }

}  // namespace xcore::te
#endif
