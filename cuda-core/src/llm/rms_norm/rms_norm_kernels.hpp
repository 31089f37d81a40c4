// The kernel behind rms_norm_cpu: one row.
#pragma once

#include "llm/rms_norm/rms_norm.hpp"

namespace xcore::llm {

void rms_norm_row_avx2(const float* x, const float* weight, int32_t width, float eps, float* out);

}  // namespace xcore::llm
