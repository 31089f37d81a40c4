#if defined(__x86_64__)
#include <immintrin.h>

#include "te/network/ksg/ksg_pairs_lists.hpp"
#include "te/network/ksg/ksg_pairs_scan.hpp"

namespace xcore::te {
namespace {

struct Avx2 {
  using type = __m256d;
  using Count = __m256i;
  static constexpr int width = 4;
  static type load(const double* p) { return _mm256_loadu_pd(p); }
  static type set(double x) { return _mm256_set1_pd(x); }
  static void store(double* p, type a) { _mm256_storeu_pd(p, a); }
  static type sub(type a, type b) { return _mm256_sub_pd(a, b); }
  static type mul(type a, type b) { return _mm256_mul_pd(a, b); }
  static void truncate(int32_t* to, type a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvttpd_epi32(a)); }
  static type min(type a, type b) { return _mm256_min_pd(a, b); }
  static type max(type a, type b) { return _mm256_max_pd(a, b); }
  static type far(type a, type b) { return _mm256_max_pd(a, _mm256_andnot_pd(_mm256_set1_pd(-0.0), b)); }
  static Count zero_count() { return _mm256_setzero_si256(); }
  static Count add_less(Count c, type a, type b) {
    return _mm256_sub_epi64(c, _mm256_castpd_si256(_mm256_cmp_pd(a, b, _CMP_LT_OQ)));
  }
  static bool all_less_equal(type a, type b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LE_OQ)) == 0xf; }
  static void store_count(int64_t* p, Count c) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), c); }
  static uint32_t less_mask(type a, type b) {
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ)));
  }
  static int64_t count_within(const uint16_t* ranks, int64_t begin, int64_t end, uint16_t low, uint16_t last) {
    const __m256i l = _mm256_set1_epi16(static_cast<int16_t>(low)), w = _mm256_set1_epi16(static_cast<int16_t>(last));
    const auto inside = [&](int64_t j) {
      const __m256i v = _mm256_sub_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(ranks + j)), l);
      return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_min_epu16(v, w), v)));
    };
    int64_t bytes = 0, j = begin;
    for (; j + 16 <= end; j += 16) bytes += __builtin_popcount(inside(j));
    if (j < end) bytes += __builtin_popcount(inside(j) & ((1u << 2 * (end - j)) - 1));
    return bytes / 2;
  }
  static void append(double* to, uint32_t* ranks, uint32_t mask, type values, uint32_t first) {
    double lanes[width];
    store(lanes, values);
    for (; mask; mask &= mask - 1) {
      const int lane = __builtin_ctz(mask);
      *to++ = lanes[lane], *ranks++ = first + static_cast<uint32_t>(lane);
    }
  }
};

}  // namespace

void pairs_scan_avx2(const PairsScan& scan, int64_t begin, int64_t end) { scan_pairs<Avx2>(scan, begin, end); }

void pairs_lists_avx2(const PairsLists& lists, int64_t begin, int64_t end) { fill_lists<Avx2>(lists, begin, end); }

}  // namespace xcore::te
#endif
