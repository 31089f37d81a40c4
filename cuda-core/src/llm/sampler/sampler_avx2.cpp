#include <cmath>
#include <limits>

#include "llm/exp_avx2.hpp"
#include "llm/sampler/sampler_kernels.hpp"

namespace xcore::llm {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float checked_max_avx2(const float* logits, int32_t count) {
  const __m256 infinity = _mm256_set1_ps(kInfinity);
  __m256 best = _mm256_set1_ps(-kInfinity);
  __m256 sane = _mm256_cmp_ps(best, infinity, _CMP_LT_OQ);
  int32_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 l = _mm256_loadu_ps(logits + i);
    sane = _mm256_and_ps(sane, _mm256_cmp_ps(l, infinity, _CMP_LT_OQ));  // false for NaN
    best = _mm256_max_ps(best, l);
  }
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, best);
  bool ok = _mm256_movemask_ps(sane) == 0xff;
  float top = -kInfinity;
  for (const float lane : lanes) top = lane > top ? lane : top;
  for (; i < count; ++i) {
    ok = ok && logits[i] < kInfinity;
    top = logits[i] > top ? logits[i] : top;
  }
  return ok ? top : std::numeric_limits<float>::quiet_NaN();
}

double exp_weights_avx2(const float* logits, int32_t count, float top, float scale, float* out) {
  const __m256 tops = _mm256_set1_ps(top), scales = _mm256_set1_ps(scale);
  __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
  const auto add = [&](__m256 w) {
    low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(w)));
    high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(w, 1)));
  };
  int32_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 w = exp_avx2(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(logits + i), tops), scales));
    if (out) _mm256_storeu_ps(out + i, w);
    add(w);
  }
  if (i < count) {
    alignas(32) float rest[8];
    for (int32_t k = 0; k < 8; ++k) rest[k] = i + k < count ? logits[i + k] : -kInfinity;
    const __m256 w = exp_avx2(_mm256_mul_ps(_mm256_sub_ps(_mm256_load_ps(rest), tops), scales));
    add(w);
    _mm256_store_ps(rest, w);
    for (int32_t k = 0; out && i + k < count; ++k) out[i + k] = rest[k];
  }
  alignas(32) double sums[4];
  _mm256_store_pd(sums, _mm256_add_pd(low, high));
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace xcore::llm
