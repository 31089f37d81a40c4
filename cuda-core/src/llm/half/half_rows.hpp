// Whole rows of fp32 to binary16, for what goes into the KV cache. Rounding as in half.hpp.
#pragma once

#include <cstdint>

#include "runtime/cpu_features.hpp"

namespace xcore::llm {

void to_half_cpu(const float* x, int64_t count, uint16_t* out, CpuLevel level = cpu_features().level);
void to_half_avx2(const float* x, int64_t count, uint16_t* out);

}  // namespace xcore::llm
