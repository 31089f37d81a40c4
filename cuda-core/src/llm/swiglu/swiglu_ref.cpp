#include <cmath>

#include "llm/swiglu/swiglu.hpp"

namespace xcore::llm {

void swiglu_ref(const float* gate, const float* up, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    const double x = gate[i];
    out[i] = static_cast<float>(x / (1.0 + std::exp(-x)) * up[i]);
  }
}

}  // namespace xcore::llm
