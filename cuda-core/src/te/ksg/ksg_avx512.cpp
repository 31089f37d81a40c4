#if defined(__x86_64__)
#include <immintrin.h>

// GCC 12 warns of the undefined pass-through operand inside its own intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "te/ksg/ksg_scan.hpp"

namespace xcore::te {
namespace {

struct Avx512 {
  using type = __m512d;
  static constexpr int width = 8;
  static type load(const double* p) { return _mm512_loadu_pd(p); }
  static type set(double x) { return _mm512_set1_pd(x); }
  static type absdiff(type a, type b) { return _mm512_abs_pd(_mm512_sub_pd(a, b)); }
  static type max(type a, type b) { return _mm512_max_pd(a, b); }
  static uint32_t less(type a, type b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
  static void store(double* p, type a) { _mm512_storeu_pd(p, a); }
};

}  // namespace

void ksg_scan_avx512(const KsgScan& scan, int64_t begin, int64_t end, KsgCounts* out) {
  scan_any<Avx512>(scan, begin, end, out);
}

}  // namespace xcore::te
#endif
