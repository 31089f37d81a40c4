// out[i] = silu(gate[i]) * up[i], silu(x) = x / (1 + exp(-x)).
// N. Shazeer, "GLU variants improve transformer", arXiv:2002.05202. out may be gate or up.
#pragma once

#include <cstdint>

#include "runtime/cpu_features.hpp"

namespace xcore::llm {

void swiglu_ref(const float* gate, const float* up, int64_t count, float* out);
void swiglu_cpu(const float* gate, const float* up, int64_t count, float* out,
                CpuLevel level = cpu_features().level);

}  // namespace xcore::llm
