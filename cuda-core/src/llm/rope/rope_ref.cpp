#include <cmath>

#include "llm/rope/rope.hpp"

namespace xcore::llm {

void rope_ref(float* x, int32_t tokens, int32_t heads, int32_t head_dim, int32_t first_position,
              const RopeParameters& p) {
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t h = 0; h < heads; ++h) {
      float* head = x + (t * heads + h) * head_dim;
      for (int32_t i = 0; i < p.dims / 2; ++i) {
        const double factor = p.factors ? p.factors[i] : 1.0;
        const double angle = (first_position + t) * std::pow(p.base, -2.0 * i / p.dims) / (p.scale * factor);
        const double a = head[2 * i], b = head[2 * i + 1];
        head[2 * i] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
        head[2 * i + 1] = static_cast<float>(a * std::sin(angle) + b * std::cos(angle));
      }
    }
}

}  // namespace xcore::llm
