#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "llm/bench_cuda.hpp"
#include "llm/executor.hpp"

namespace xcore::llm {

namespace {

using gguf::TensorType;

struct Shape {
  const char* name;
  TensorType type;
  int32_t layers, width, heads, kv_heads, ffn, vocabulary;
};
constexpr Shape kShapes[] = {
    {"1.1b-q4_0", TensorType::q4_0, 22, 2048, 32, 4, 5632, 32000}, {"7b-q4_0", TensorType::q4_0, 32, 4096, 32, 32, 11008, 32000},
    {"7b-q8_0", TensorType::q8_0, 32, 4096, 32, 32, 11008, 32000}, {"7b-f16", TensorType::f16, 32, 4096, 32, 32, 11008, 32000},
    {"8b-q4_0", TensorType::q4_0, 32, 4096, 32, 8, 14336, 128256}, {"8b-q8_0", TensorType::q8_0, 32, 4096, 32, 8, 14336, 128256},
};

// A model of the shape whose matrices all show the same random bytes; the executor uploads each for itself.
struct RandomModel {
  explicit RandomModel(const Shape& s) {
    const gguf::TypeTraits& traits = *gguf::type_traits(static_cast<uint32_t>(s.type));
    const uint64_t row = static_cast<uint64_t>(s.width) / traits.block_size * traits.block_bytes;
    bytes.resize((static_cast<uint64_t>(s.vocabulary) + 1) * row);  // the largest matrix, and a row to set the output apart
    norm.assign(static_cast<size_t>(s.width), 1.0f);
    uint32_t state = 1;
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
    // Small finite weights: binary16 with exponents around 2^-7 (F16), scales of 2^-12 (blocks).
    if (s.type == TensorType::f16)
      for (size_t i = 1; i < bytes.size(); i += 2) bytes[i] = static_cast<uint8_t>((bytes[i] & 0x83) | 0x20);
    else
      for (size_t i = 0; i + 1 < bytes.size(); i += traits.block_bytes) bytes[i] = 0, bytes[i + 1] = 0x0C;
    auto matrix = [&](int32_t rows, int32_t columns, uint64_t offset = 0) {
      return Matrix{bytes.data() + offset, s.type, rows, columns, static_cast<uint64_t>(columns) / traits.block_size * traits.block_bytes};
    };
    model.architecture = "llama";
    model.vocabulary = s.vocabulary;
    model.width = s.width;
    model.layers_count = s.layers;
    model.heads = s.heads;
    model.kv_heads = s.kv_heads;
    model.head_dim = s.width / s.heads;
    model.ffn_width = s.ffn;
    model.context_length = 8192;
    model.rope_dims = model.head_dim;
    model.embedding = matrix(s.vocabulary, s.width);
    model.output_norm = norm.data();
    model.output = matrix(s.vocabulary, s.width, row);
    const int32_t kv = s.kv_heads * model.head_dim;
    for (int32_t i = 0; i < s.layers; ++i)
      model.layers.push_back({norm.data(), matrix(s.width, s.width), matrix(kv, s.width), matrix(kv, s.width), matrix(s.width, s.width),
                              norm.data(), matrix(s.ffn, s.width), matrix(s.ffn, s.width), matrix(s.width, s.ffn)});
  }
  std::vector<uint8_t> bytes;
  std::vector<float> norm;
  Model model;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::shared_ptr<const Model> model_of(const std::string& name) {
  for (const Shape& s : kShapes)
    if (name == s.name) {
      auto random = std::make_shared<RandomModel>(s);
      return {random, &random->model};
    }
  return load_model(gguf::File::open(name));
}

void bench(const std::string& name) {
  const auto model = model_of(name);
  const double before = now();
  const auto executor = make_cuda_executor(model, 0);
  std::printf("%s: %.2f GB a token, on the GPU after %.0f ms\n", name.c_str(), static_cast<double>(model->weight_bytes()) / 1e9, (now() - before) * 1e3);
  const int32_t capacity = std::min(model->context_length, 4096 + 256);
  const auto sequence = executor->create_sequence(capacity);
  std::vector<int32_t> prompt;
  for (int i = 0; i < capacity; ++i) prompt.push_back((i * 37 + 11) % model->vocabulary);
  const int32_t prefill = std::min(512, capacity - 160);
  double best = 1e30;
  for (int repeat = 0; repeat < 4 && prefill > 0; ++repeat) {
    sequence->truncate(0);
    const double start = now();
    executor->forward_greedy(*sequence, prompt.data(), prefill, {});
    best = std::min(best, now() - start);
  }
  if (prefill > 0) std::printf("  prompt of %d: %.0f tok/s\n", prefill, prefill / best);
  for (const int32_t depth : {0, 512, 4096}) {
    if (depth + 144 > capacity) continue;
    sequence->truncate(0);
    if (depth) executor->forward(*sequence, prompt.data(), depth, Logits::none, nullptr, {});
    int32_t id = 1;
    for (int i = 0; i < 16; ++i) id = executor->forward_greedy(*sequence, &id, 1, {}).id;
    const double start = now();
    for (int i = 0; i < 128; ++i) id = executor->forward_greedy(*sequence, &id, 1, {}).id;
    const double rate = 128 / (now() - start);
    std::printf("  decode at %4d: %.1f tok/s, %.0f GB/s of weights\n", depth, rate, rate * static_cast<double>(model->weight_bytes()) / 1e9);
  }
}

}  // namespace

void bench_cuda_decode(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) bench(argv[i]);
}

}  // namespace xcore::llm
