#if defined(__x86_64__)
#include <immintrin.h>

// GCC 12 warns of the undefined pass-through operand inside its own intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#include "te/ksg/ksg_scan.hpp"

namespace xcore::te {
namespace {

struct Doubles {
  using scalar = double;
  using type = __m512d;
  static constexpr int width = 8;
  static type load(const double* p) { return _mm512_loadu_pd(p); }
  static type set(double x) { return _mm512_set1_pd(x); }
  static type sub(type a, type b) { return _mm512_sub_pd(a, b); }
  static type absdiff(type a, type b) { return _mm512_abs_pd(_mm512_sub_pd(a, b)); }
  static type max(type a, type b) { return _mm512_max_pd(a, b); }
  static type min(type a, type b) { return _mm512_min_pd(a, b); }
  static uint32_t less(type a, type b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
  static uint32_t less_equal(type a, type b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
  static void store(double* p, type a) { _mm512_storeu_pd(p, a); }
  static double first(type a) { return _mm512_cvtsd_f64(a); }
  static type keep(uint32_t mask, type a) {
    return _mm512_mask_blend_pd(static_cast<__mmask8>(mask), _mm512_set1_pd(__builtin_inf()), a);
  }
  static uint32_t far(const int32_t* times, int32_t own, int32_t theiler) {
    const __m256i apart = _mm256_abs_epi32(
        _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(times)), _mm256_set1_epi32(own)));
    return _mm256_cmpgt_epi32_mask(apart, _mm256_set1_epi32(theiler));
  }
  template <int D>
  static type swap(type a) {
    if constexpr (D == 4) return _mm512_shuffle_f64x2(a, a, 0x4E);
    else if constexpr (D == 2) return _mm512_permutex_pd(a, 0x4E);
    else return _mm512_permute_pd(a, 0x55);
  }
};

struct Floats {
  using scalar = float;
  using type = __m512;
  static constexpr int width = 16;
  static type load(const float* p) { return _mm512_loadu_ps(p); }
  static type set(float x) { return _mm512_set1_ps(x); }
  static type sub(type a, type b) { return _mm512_sub_ps(a, b); }
  static type absdiff(type a, type b) { return _mm512_abs_ps(_mm512_sub_ps(a, b)); }
  static type max(type a, type b) { return _mm512_max_ps(a, b); }
  static type min(type a, type b) { return _mm512_min_ps(a, b); }
  static uint32_t less(type a, type b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static uint32_t less_equal(type a, type b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
  static void store(float* p, type a) { _mm512_storeu_ps(p, a); }
  static float first(type a) { return _mm512_cvtss_f32(a); }
  static type keep(uint32_t mask, type a) {
    return _mm512_mask_blend_ps(static_cast<__mmask16>(mask), _mm512_set1_ps(__builtin_inff()), a);
  }
  static uint32_t far(const int32_t* times, int32_t own, int32_t theiler) {
    const __m512i apart = _mm512_abs_epi32(_mm512_sub_epi32(_mm512_loadu_si512(times), _mm512_set1_epi32(own)));
    return _mm512_cmpgt_epi32_mask(apart, _mm512_set1_epi32(theiler));
  }
  template <int D>
  static type swap(type a) {
    if constexpr (D == 8) return _mm512_shuffle_f32x4(a, a, 0x4E);
    else if constexpr (D == 4) return _mm512_shuffle_f32x4(a, a, 0xB1);
    else if constexpr (D == 2) return _mm512_permute_ps(a, 0x4E);
    else return _mm512_permute_ps(a, 0xB1);
  }
};

struct Ranks16 {
  using scalar = uint16_t;
  using type = __m512i;
  using mask = uint32_t;
  static constexpr int width = 32;
  static type load(const uint16_t* p) { return _mm512_loadu_si512(p); }
  static type set(uint16_t x) { return _mm512_set1_epi16(static_cast<int16_t>(x)); }
  static mask within(type v, type low, type last) { return _mm512_cmple_epu16_mask(_mm512_sub_epi16(v, low), last); }
  static mask all() { return ~0u; }
  static mask head(int64_t count) { return (1u << count) - 1; }
  static int32_t bits(mask m) { return __builtin_popcount(m); }
};

struct Ranks32 {
  using scalar = uint32_t;
  using type = __m512i;
  using mask = uint32_t;
  static constexpr int width = 16;
  static type load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static type set(uint32_t x) { return _mm512_set1_epi32(static_cast<int32_t>(x)); }
  static mask within(type v, type low, type last) { return _mm512_cmple_epu32_mask(_mm512_sub_epi32(v, low), last); }
  static mask all() { return 0xffffu; }
  static mask head(int64_t count) { return (1u << count) - 1; }
  static int32_t bits(mask m) { return __builtin_popcount(m); }
};

}  // namespace

const KsgScanFunctions& ksg_scan_avx512() {
  static constexpr KsgScanFunctions functions{scan_positions<Doubles, Ranks16>, scan_positions<Doubles, Ranks32>,
                                              scan_positions<Floats, Ranks16>, scan_positions<Floats, Ranks32>};
  return functions;
}

}  // namespace xcore::te
#endif
