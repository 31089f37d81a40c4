// The largest logit and log-softmax: log p[i] = logit[i] - max - log(sum over j of exp(logit[j] - max)).
// A NaN among the logits makes every log-probability NaN, so that damaged weights show; the id is then the largest of
// the others, and 0 when there is none. count >= 1.
#pragma once

#include <cstdint>

#include "runtime/cpu_features.hpp"

namespace xcore::llm {

struct BestToken {
  int32_t id;     // the lowest one among equals
  float logprob;  // natural logarithm, <= 0
};

BestToken best_token_ref(const float* logits, int32_t count);
BestToken best_token_cpu(const float* logits, int32_t count, CpuLevel level = cpu_features().level);

// out may be logits.
void log_softmax_ref(const float* logits, int32_t count, float* out);
void log_softmax_cpu(const float* logits, int32_t count, float* out, CpuLevel level = cpu_features().level);

}  // namespace xcore::llm
