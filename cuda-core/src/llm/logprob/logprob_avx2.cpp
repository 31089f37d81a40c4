#include <math.h>

#include "llm/exp_avx2.hpp"
#include "llm/logprob/logprob_kernels.hpp"

namespace xcore::llm {

int32_t argmax_avx2(const float* logits, int32_t count) {
  // The largest value first; then the first place that holds it.
  __m256 most = _mm256_set1_ps(-__builtin_inff());
  int32_t i = 0;
  for (; i + 8 <= count; i += 8) most = _mm256_max_ps(_mm256_loadu_ps(logits + i), most);  // NaN keeps `most`
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, most);
  float largest = lanes[0];
  for (const float lane : lanes)
    if (lane > largest) largest = lane;
  for (; i < count; ++i)
    if (logits[i] > largest) largest = logits[i];
  if (largest == -__builtin_inff()) return 0;  // all are -infinity or NaN, and equal
  const __m256 wanted = _mm256_set1_ps(largest);
  for (i = 0; i + 8 <= count; i += 8) {
    const int found = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(logits + i), wanted, _CMP_EQ_OQ));
    if (found) return i + __builtin_ctz(static_cast<unsigned>(found));
  }
  for (; i < count; ++i)
    if (logits[i] == largest) return i;
  return 0;
}

double sum_exp_avx2(const float* logits, int32_t count, float largest) {
  const __m256 shift = _mm256_set1_ps(largest);
  double sum = 0;
  int32_t i = 0;
  while (i + 8 <= count) {
    // Short runs in fp32, their sums in double: large vocabularies lose nothing.
    __m256 run = _mm256_setzero_ps();
    for (int step = 0; step < 64 && i + 8 <= count; ++step, i += 8) {
      const __m256 x = _mm256_loadu_ps(logits + i);
      const __m256 e = exp_avx2(_mm256_sub_ps(x, shift));
      run = _mm256_add_ps(run, e);
    }
    sum += sum_avx2(run);
  }
  for (; i < count; ++i) sum += expf(logits[i] - largest);
  return sum;
}

}  // namespace xcore::llm
