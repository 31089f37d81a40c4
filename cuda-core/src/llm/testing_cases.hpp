// Random inputs for the tests of every backend: the same (seed, shape) gives the same case on CPU and CUDA.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "llm/half/half.hpp"
#include "llm/matmul/matmul.hpp"
#include "llm/model.hpp"
#include "runtime/philox.hpp"

namespace xcore::llm::testing {

inline std::vector<float> random_floats(size_t count, uint64_t seed, double deviation = 1.0) {
  Philox random(seed);
  std::vector<float> out(count);
  for (float& x : out) x = static_cast<float>(random.next_normal() * deviation);
  return out;
}

inline std::vector<uint16_t> random_halves(size_t count, uint64_t seed, double deviation = 1.0) {
  std::vector<uint16_t> out;
  for (const float x : random_floats(count, seed, deviation)) out.push_back(half_from_float(x));
  return out;
}

// A weight matrix of any type the executors multiply by, with the bytes that a file would hold.
struct OwnedMatrix {
  std::vector<uint8_t> bytes;
  Matrix matrix;
};

// Values of deviation about 1 / sqrt(columns), so that products with unit activations are of order 1. Q4_0 scales have
// both signs; quants take all values.
inline OwnedMatrix random_matrix(gguf::TensorType type, int32_t rows, int32_t columns, uint64_t seed) {
  const gguf::TypeTraits& traits = *gguf::type_traits(static_cast<uint32_t>(type));
  OwnedMatrix out;
  const uint64_t row_bytes = static_cast<uint64_t>(columns) / traits.block_size * traits.block_bytes;
  out.bytes.resize(static_cast<size_t>(rows) * row_bytes);
  Philox random(seed);
  const double deviation = 1.0 / std::sqrt(static_cast<double>(columns));
  uint8_t* p = out.bytes.data();
  for (size_t i = 0; i < out.bytes.size() / traits.block_bytes; ++i, p += traits.block_bytes) {
    const float x = static_cast<float>(random.next_normal() * deviation);
    const uint16_t half = half_from_float(type == gguf::TensorType::f16 ? x : x / (traits.block_bytes == 34 ? 60.0f : 4.0f));
    if (type == gguf::TensorType::f32) {
      std::memcpy(p, &x, 4);
    } else {
      std::memcpy(p, &half, 2);
      for (uint32_t b = 2; b < traits.block_bytes; ++b) p[b] = static_cast<uint8_t>(random.next_u32());
    }
  }
  out.matrix = {out.bytes.data(), type, rows, columns, row_bytes};
  return out;
}

inline void expect_near(const std::vector<float>& actual, const std::vector<float>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance * (1.0 + std::abs(static_cast<double>(expected[i])))) << "at " << i;
}

// Shapes that meet the edges of kernels: one row, fewer rows than a tile, ragged last tiles, one block, many tokens.
struct MatmulCase {
  gguf::TensorType type;
  int32_t rows, columns, tokens;
};
inline std::vector<MatmulCase> matmul_cases() {
  using gguf::TensorType;
  std::vector<MatmulCase> out;
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    const bool blocks = takes_quantized(type);
    for (const int32_t rows : {1, 3, 16, 33, 200})
      for (const int32_t columns : {blocks ? 32 : 1, blocks ? 96 : 7, blocks ? 352 : 172, 256})
        for (const int32_t tokens : {1, 2, 5, 16, 37}) out.push_back({type, rows, columns, tokens});
  }
  return out;
}

struct AttentionCase {
  int32_t heads, kv_heads, head_dim, tokens, first_position;
};
inline std::vector<AttentionCase> attention_cases() {
  return {{1, 1, 1, 1, 0},  {1, 1, 8, 1, 0},    {8, 4, 8, 4, 0},      {8, 4, 8, 1, 63},     {4, 1, 64, 1, 300},
          {6, 2, 20, 3, 5}, {4, 4, 32, 33, 40}, {8, 2, 128, 70, 130}, {32, 4, 64, 1, 1000}, {3, 3, 36, 17, 64}};
}

}  // namespace xcore::llm::testing
