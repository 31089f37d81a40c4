// out[r][i] = x[r][i] * weight[i] / sqrt(mean over i of x[r][i]^2 + eps), rows of `width` floats.
// B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019. out may be x.
#pragma once

#include <cstdint>

#include "runtime/cpu_features.hpp"

namespace xcore::llm {

void rms_norm_ref(const float* x, const float* weight, int32_t rows, int32_t width, float eps, float* out);
void rms_norm_cpu(const float* x, const float* weight, int32_t rows, int32_t width, float eps, float* out,
                  CpuLevel level = cpu_features().level);

}  // namespace xcore::llm
