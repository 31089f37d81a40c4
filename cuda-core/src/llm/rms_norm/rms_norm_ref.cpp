#include <cmath>

#include "llm/rms_norm/rms_norm.hpp"

namespace xcore::llm {

void rms_norm_ref(const float* x, const float* weight, int32_t rows, int32_t width, float eps, float* out) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* in = x + r * width;
    double squares = 0;
    for (int32_t i = 0; i < width; ++i) squares += static_cast<double>(in[i]) * in[i];
    const double factor = 1.0 / std::sqrt(squares / width + eps);
    for (int32_t i = 0; i < width; ++i) out[r * width + i] = static_cast<float>(in[i] * factor * weight[i]);
  }
}

}  // namespace xcore::llm
