#include <immintrin.h>

#include "llm/half/half.hpp"
#include "llm/half/half_rows.hpp"

namespace xcore::llm {

void to_half_avx2(const float* x, int64_t count, uint16_t* out) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < count; ++i) out[i] = half_from_float(x[i]);
}

}  // namespace xcore::llm
