#if defined(__x86_64__)
#include <immintrin.h>

#include "te/ksg/ksg_scan.hpp"

namespace xcore::te {
namespace {

struct Doubles {
  using scalar = double;
  using type = __m256d;
  static constexpr int width = 4;
  static type load(const double* p) { return _mm256_loadu_pd(p); }
  static type set(double x) { return _mm256_set1_pd(x); }
  static type sub(type a, type b) { return _mm256_sub_pd(a, b); }
  static type absdiff(type a, type b) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), _mm256_sub_pd(a, b)); }
  static type max(type a, type b) { return _mm256_max_pd(a, b); }
  static type min(type a, type b) { return _mm256_min_pd(a, b); }
  static uint32_t less(type a, type b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ)); }
  static uint32_t less_equal(type a, type b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LE_OQ)); }
  static void store(double* p, type a) { _mm256_storeu_pd(p, a); }
  static double first(type a) { return _mm256_cvtsd_f64(a); }
  static type keep(uint32_t mask, type a) {
    if (mask == 15u) return a;
    const __m256i bit = _mm256_set_epi64x(8, 4, 2, 1);
    const __m256i set = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(mask), bit), bit);
    return _mm256_blendv_pd(_mm256_set1_pd(__builtin_inf()), a, _mm256_castsi256_pd(set));
  }
  static uint32_t far(const int32_t* times, int32_t own, int32_t theiler) {
    const __m128i apart =
        _mm_abs_epi32(_mm_sub_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(times)), _mm_set1_epi32(own)));
    return _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(apart, _mm_set1_epi32(theiler))));
  }
  template <int D>
  static type swap(type a) {
    if constexpr (D == 2) return _mm256_permute2f128_pd(a, a, 1);
    else return _mm256_permute_pd(a, 5);
  }
};

struct Floats {
  using scalar = float;
  using type = __m256;
  static constexpr int width = 8;
  static type load(const float* p) { return _mm256_loadu_ps(p); }
  static type set(float x) { return _mm256_set1_ps(x); }
  static type sub(type a, type b) { return _mm256_sub_ps(a, b); }
  static type absdiff(type a, type b) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(a, b)); }
  static type max(type a, type b) { return _mm256_max_ps(a, b); }
  static type min(type a, type b) { return _mm256_min_ps(a, b); }
  static uint32_t less(type a, type b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
  static uint32_t less_equal(type a, type b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ)); }
  static void store(float* p, type a) { _mm256_storeu_ps(p, a); }
  static float first(type a) { return _mm256_cvtss_f32(a); }
  static type keep(uint32_t mask, type a) {
    if (mask == 255u) return a;
    const __m256i bit = _mm256_set_epi32(128, 64, 32, 16, 8, 4, 2, 1);
    const __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int32_t>(mask)), bit), bit);
    return _mm256_blendv_ps(_mm256_set1_ps(__builtin_inff()), a, _mm256_castsi256_ps(set));
  }
  static uint32_t far(const int32_t* times, int32_t own, int32_t theiler) {
    const __m256i apart = _mm256_abs_epi32(
        _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(times)), _mm256_set1_epi32(own)));
    return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(apart, _mm256_set1_epi32(theiler))));
  }
  template <int D>
  static type swap(type a) {
    if constexpr (D == 4) return _mm256_permute2f128_ps(a, a, 1);
    else if constexpr (D == 2) return _mm256_permute_ps(a, 0x4E);
    else return _mm256_permute_ps(a, 0xB1);
  }
};

// x <= last, unsigned: the smaller of both is x.
struct Ranks16 {  // two mask bits a rank
  using scalar = uint16_t;
  using type = __m256i;
  using mask = uint32_t;
  static constexpr int width = 16;
  static type load(const uint16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static type set(uint16_t x) { return _mm256_set1_epi16(static_cast<int16_t>(x)); }
  static mask within(type v, type low, type last) {
    const __m256i x = _mm256_sub_epi16(v, low);
    return static_cast<mask>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_min_epu16(x, last), x)));
  }
  static mask all() { return ~0u; }
  static mask head(int64_t count) { return (1u << 2 * count) - 1; }
  static int32_t bits(mask m) { return __builtin_popcount(m) / 2; }
};

struct Ranks32 {
  using scalar = uint32_t;
  using type = __m256i;
  using mask = uint32_t;
  static constexpr int width = 8;
  static type load(const uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static type set(uint32_t x) { return _mm256_set1_epi32(static_cast<int32_t>(x)); }
  static mask within(type v, type low, type last) {
    const __m256i x = _mm256_sub_epi32(v, low);
    return static_cast<mask>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_min_epu32(x, last), x))));
  }
  static mask all() { return 255u; }
  static mask head(int64_t count) { return (1u << count) - 1; }
  static int32_t bits(mask m) { return __builtin_popcount(m); }
};

}  // namespace

const KsgScanFunctions& ksg_scan_avx2() {
  static constexpr KsgScanFunctions functions{scan_positions<Doubles, Ranks16>, scan_positions<Doubles, Ranks32>,
                                              scan_positions<Floats, Ranks16>, scan_positions<Floats, Ranks32>};
  return functions;
}

}  // namespace xcore::te
#endif
