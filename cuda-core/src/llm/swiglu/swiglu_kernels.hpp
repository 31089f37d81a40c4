// The kernel behind swiglu_cpu: `count` consecutive elements.
#pragma once

#include "llm/swiglu/swiglu.hpp"

namespace xcore::llm {

void swiglu_range_avx2(const float* gate, const float* up, int64_t count, float* out);

}  // namespace xcore::llm
