// The kernels behind logprob_cpu.cpp.
#pragma once

#include "llm/logprob/logprob.hpp"

namespace xcore::llm {

// The lowest id of the largest logit, NaN counting as -infinity.
int32_t argmax_avx2(const float* logits, int32_t count);
// Sum of exp(logit - largest), NaN if a logit is; `largest` is finite.
double sum_exp_avx2(const float* logits, int32_t count, float largest);

}  // namespace xcore::llm
