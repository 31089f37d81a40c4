#if defined(__x86_64__)
#include <immintrin.h>

// GCC 12 warns of the undefined pass-through operand inside its own intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

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
  static type min(type a, type b) { return _mm512_min_pd(a, b); }
  static type max(type a, type b) { return _mm512_max_pd(a, b); }
  static type far(type a, type b) { return _mm512_range_pd(a, b, 0x0b); }  // the larger magnitude, its sign cleared
  static Count zero_count() { return _mm512_setzero_si512(); }
  static Count add_less(Count c, type a, type b) {
    return _mm512_mask_sub_epi64(c, _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), c, _mm512_set1_epi64(-1));
  }
  static bool all_less_equal(type a, type b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ) == 0xff; }
  static void store_count(int64_t* p, Count c) { _mm512_storeu_si512(p, c); }
};

}  // namespace

void pairs_scan_avx512(const PairsScan& scan, int64_t begin, int64_t end) { scan_pairs<Avx512>(scan, begin, end); }

}  // namespace xcore::te
#endif
