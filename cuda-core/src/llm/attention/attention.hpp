// Causal attention with grouped queries over a binary16 cache.
//
// q, out: fp32 [tokens][heads][head_dim]. Cache: binary16 [position][kv_heads][head_dim], filled up to and including the
// last token's own position. Token t stands at position first_position + t and sees positions 0..first_position + t.
// Head h reads cache head h / (heads / kv_heads). Scores are dot(q, k) / sqrt(head_dim); softmax and sums in fp32.
#pragma once

#include <cstdint>

#include "runtime/cpu_features.hpp"

namespace xcore::llm {

struct AttentionShape {
  int32_t heads, kv_heads, head_dim;
  int32_t tokens, first_position;
};

void attention_ref(const AttentionShape& shape, const float* q, const uint16_t* k_cache, const uint16_t* v_cache,
                   float* out);
void attention_cpu(const AttentionShape& shape, const float* q, const uint16_t* k_cache, const uint16_t* v_cache,
                   float* out, CpuLevel level = cpu_features().level);

}  // namespace xcore::llm
