// What a model is: hyperparameters and weights, as found in a GGUF file, checked against each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gguf/gguf.hpp"

namespace xcore::llm {

// A weight matrix [rows x columns], row-major, in its file type: element (r, c) multiplies input c into output r.
struct Matrix {
  const uint8_t* data = nullptr;
  gguf::TensorType type = gguf::TensorType::f32;
  int32_t rows = 0;
  int32_t columns = 0;
  uint64_t row_bytes = 0;
  explicit operator bool() const { return data != nullptr; }
};

struct Layer {
  const float* attention_norm;  // [width], F32 (converted on load when the file has F16)
  Matrix q, k, v, output;
  const float* ffn_norm;
  Matrix gate, up, down;
};

struct Model {
  std::shared_ptr<const gguf::File> file;  // keeps the mapping alive
  std::string architecture;                // "llama"
  std::string name;
  int32_t vocabulary = 0;
  int32_t width = 0;           // embedding_length
  int32_t layers_count = 0;    // block_count
  int32_t heads = 0;
  int32_t kv_heads = 0;        // grouped-query attention: heads % kv_heads == 0
  int32_t head_dim = 0;        // attention.key_length, else width / heads
  int32_t ffn_width = 0;
  int32_t context_length = 0;
  float norm_eps = 1e-5f;
  float rope_base = 10000.0f;
  float rope_scale = 1.0f;     // linear scaling: angle / rope_scale
  int32_t rope_dims = 0;       // <= head_dim, even; "llama" rotates pairs (2i, 2i+1)
  const float* rope_factors = nullptr;  // rope_freqs.weight [rope_dims / 2] divisors, or nullptr
  Matrix embedding;            // [vocabulary x width]
  const float* output_norm = nullptr;
  Matrix output;               // tied to `embedding` when the file has no output.weight
  std::vector<Layer> layers;
  std::vector<std::unique_ptr<float[]>> converted;  // owns norms that were not F32 in the file

  uint64_t weight_bytes() const;           // read per decoded token: all matrices and norms, one row of the embedding
  uint64_t parameters() const;             // elements of all tensors
};

// Types the executors can multiply by: F32, F16, Q8_0, Q4_0. Every missing tensor, wrong shape, unknown architecture or
// type is an Error that names it.
std::shared_ptr<const Model> load_model(std::shared_ptr<const gguf::File> file);

}  // namespace xcore::llm
