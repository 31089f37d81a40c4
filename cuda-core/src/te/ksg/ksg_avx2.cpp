#if defined(__x86_64__)
#include <immintrin.h>

#include "te/ksg/ksg_scan.hpp"

namespace xcore::te {
namespace {

struct Avx2 {
  using type = __m256d;
  static constexpr int width = 4;
  static type load(const double* p) { return _mm256_loadu_pd(p); }
  static type set(double x) { return _mm256_set1_pd(x); }
  static type absdiff(type a, type b) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), _mm256_sub_pd(a, b)); }
  static type max(type a, type b) { return _mm256_max_pd(a, b); }
  static uint32_t less(type a, type b) {
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ)));
  }
  static void store(double* p, type a) { _mm256_storeu_pd(p, a); }
};

}  // namespace

void ksg_scan_avx2(const KsgScan& scan, int64_t begin, int64_t end, KsgCounts* out) {
  scan_any<Avx2>(scan, begin, end, out);
}

}  // namespace xcore::te
#endif
