// Rotary position embedding, in place on x [tokens][heads][head_dim]: in each head the pairs (2i, 2i + 1), i < dims / 2,
// are turned by the angle position * base^(-2i / dims) / (scale * factors[i]); dimensions from `dims` on stay.
// Token t stands at position first_position + t.
// J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", arXiv:2104.09864.
#pragma once

#include <cstdint>
#include <vector>

namespace xcore::llm {

struct RopeParameters {
  int32_t dims = 0;  // even, <= head_dim
  double base = 10000.0;
  double scale = 1.0;              // linear scaling: positions are divided by it
  const float* factors = nullptr;  // [dims / 2] divisors of the frequencies, or nullptr
};

// Angle per position of each pair, in radians: [dims / 2].
std::vector<double> rope_frequencies(const RopeParameters& parameters);

// cos and sin of the angles of positions first..first + count - 1: cos_sin[(t * pairs + i) * 2 + {0, 1}]. Angles are
// reduced in double precision, so that far positions stay exact to fp32.
void rope_table(const std::vector<double>& frequencies, int32_t first_position, int32_t count, float* cos_sin);

void rope_ref(float* x, int32_t tokens, int32_t heads, int32_t head_dim, int32_t first_position,
              const RopeParameters& parameters);
// `cos_sin` as by rope_table for the tokens' positions; pairs = dims / 2.
void rope_cpu(float* x, int32_t tokens, int32_t heads, int32_t head_dim, int32_t pairs, const float* cos_sin);

}  // namespace xcore::llm
