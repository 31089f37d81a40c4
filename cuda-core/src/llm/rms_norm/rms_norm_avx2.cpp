#include <immintrin.h>

#include <math.h>

#include "llm/rms_norm/rms_norm_kernels.hpp"

namespace xcore::llm {

void rms_norm_row_avx2(const float* x, const float* weight, int32_t width, float eps, float* out) {
  __m256 a = _mm256_setzero_ps(), b = a;
  int32_t i = 0;
  for (; i + 16 <= width; i += 16) {
    const __m256 u = _mm256_loadu_ps(x + i), v = _mm256_loadu_ps(x + i + 8);
    a = _mm256_fmadd_ps(u, u, a);
    b = _mm256_fmadd_ps(v, v, b);
  }
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, _mm256_add_ps(a, b));
  double squares = 0;
  for (const float lane : lanes) squares += lane;
  for (; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
  const float factor = static_cast<float>(1.0 / sqrt(squares / width + eps));
  const __m256 wide = _mm256_set1_ps(factor);
  for (i = 0; i + 8 <= width; i += 8)
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), wide), _mm256_loadu_ps(weight + i)));
  for (; i < width; ++i) out[i] = x[i] * factor * weight[i];
}

}  // namespace xcore::llm
