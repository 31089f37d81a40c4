#include <cmath>

#include "llm/rope/rope.hpp"

namespace xcore::llm {

std::vector<double> rope_frequencies(const RopeParameters& p) {
  std::vector<double> frequencies(static_cast<size_t>(p.dims / 2));
  for (int32_t i = 0; i < p.dims / 2; ++i)
    frequencies[static_cast<size_t>(i)] =
        std::pow(p.base, -2.0 * i / p.dims) / (p.scale * (p.factors ? static_cast<double>(p.factors[i]) : 1.0));
  return frequencies;
}

void rope_table(const std::vector<double>& frequencies, int32_t first_position, int32_t count, float* cos_sin) {
  constexpr double kTurn = 6.283185307179586476925286766559;
  for (int32_t t = 0; t < count; ++t)
    for (const double frequency : frequencies) {
      const double angle = (first_position + t) * frequency;
      // Single-precision functions on the reduced angle: within 1e-7 and several times faster than double ones.
      const float reduced = static_cast<float>(angle - kTurn * std::nearbyint(angle / kTurn));
      *cos_sin++ = std::cos(reduced);
      *cos_sin++ = std::sin(reduced);
    }
}

void rope_cpu(float* x, int32_t tokens, int32_t heads, int32_t head_dim, int32_t pairs, const float* cos_sin) {
  for (int32_t t = 0; t < tokens; ++t, cos_sin += 2 * pairs)
    for (int32_t h = 0; h < heads; ++h, x += head_dim)
      for (int32_t i = 0; i < pairs; ++i) {
        const float a = x[2 * i], b = x[2 * i + 1];
        const float cosine = cos_sin[2 * i], sine = cos_sin[2 * i + 1];
        x[2 * i] = a * cosine - b * sine;
        x[2 * i + 1] = a * sine + b * cosine;
      }
}

}  // namespace xcore::llm
