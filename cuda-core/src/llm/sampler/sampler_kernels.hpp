// The passes of the sampler over the whole vocabulary, at each CPU level.
#pragma once

#include <cstdint>

namespace xcore::llm {

// The largest logit; NaN when a logit is NaN or +inf.
float checked_max_portable(const float* logits, int32_t count);
float checked_max_avx2(const float* logits, int32_t count);

// The sum of exp((logit - top) * scale); the terms go to `out` unless it is nullptr. top is finite, scale > 0 finite.
double exp_weights_portable(const float* logits, int32_t count, float top, float scale, float* out);
double exp_weights_avx2(const float* logits, int32_t count, float top, float scale, float* out);

}  // namespace xcore::llm
