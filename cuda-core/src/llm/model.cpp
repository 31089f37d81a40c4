#include "llm/model.hpp"

#include <cmath>
#include <cstring>
#include <unordered_set>

#include "gguf/reader.hpp"
#include "llm/half/half.hpp"

namespace xcore::llm {

using gguf::File;
using gguf::Tensor;
using gguf::TensorType;

namespace {

constexpr int32_t kMaxWidth = 1 << 20;

bool can_multiply(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::q8_0 || type == TensorType::q4_0;
}

// Reads hyperparameters and tensors of one file, checks each, and remembers which tensors were used.
class Loader {
 public:
  Loader(const File& file, Model& model) : file_(file), model_(model) {}
  void hyperparameters();
  void weights();

 private:
  std::string key(const char* name) const { return model_.architecture + "." + name; }
  int64_t offset_of(const std::string& k) const {
    const gguf::Entry* entry = file_.find(k);
    return entry ? static_cast<int64_t>(entry->offset) : -1;
  }

  // In [low, high]. A per-layer array is accepted when all its elements are equal.
  int32_t count(const char* name, int32_t low, int32_t high, int64_t fallback = -1) const {
    const std::string k = key(name);
    uint64_t value;
    const gguf::Entry* entry = file_.find(k);
    const auto* per_layer = entry ? std::get_if<std::vector<uint64_t>>(&entry->value) : nullptr;
    const auto* per_layer_signed = entry ? std::get_if<std::vector<int64_t>>(&entry->value) : nullptr;
    if (per_layer || per_layer_signed) {
      value = per_layer ? uniform(*per_layer, k, entry->offset) : uniform(*per_layer_signed, k, entry->offset);
    } else {
      value = entry || fallback < 0 ? file_.integer(k) : static_cast<uint64_t>(fallback);
    }
    if (value < static_cast<uint64_t>(low) || value > static_cast<uint64_t>(high))
      throw error(XC_INVALID_FORMAT, k, offset_of(k), "'%s' must be in %d..%d, found %llu", k.c_str(), low, high,
                  static_cast<unsigned long long>(value));
    return static_cast<int32_t>(value);
  }

  template <class T>
  static uint64_t uniform(const std::vector<T>& values, const std::string& k, uint64_t offset) {
    if (values.empty() || values[0] < 0)
      throw error(XC_INVALID_FORMAT, k, static_cast<int64_t>(offset), "'%s' must hold one non-negative number a layer", k.c_str());
    for (const T v : values)
      if (v != values[0])
        throw error(XC_UNSUPPORTED, k, static_cast<int64_t>(offset), "'%s' differs between layers, which is not supported", k.c_str());
    return static_cast<uint64_t>(values[0]);
  }

  float positive(const char* name, double fallback, double low, double high) const {
    const std::string k = key(name);
    const double value = file_.number(k, fallback);
    if (!(value >= low && value <= high))
      throw error(XC_INVALID_FORMAT, k, offset_of(k), "'%s' must be in %g..%g, found %g", k.c_str(), low, high, value);
    return static_cast<float>(value);
  }

  void rope_scaling();
  const Tensor& tensor(const std::string& name);
  Matrix matrix(const std::string& name, int32_t rows, int32_t columns);
  const float* floats(const std::string& name, int32_t count);

  const File& file_;
  Model& model_;
  std::unordered_set<const Tensor*> used_;
};

void Loader::hyperparameters() {
  Model& m = model_;
  m.architecture = std::string(file_.string("general.architecture"));
  if (m.architecture != "llama")
    throw error(XC_UNSUPPORTED, "general.architecture", offset_of("general.architecture"),
                "the architecture '%s' is not supported; 'llama' is", gguf::printable(m.architecture).c_str());
  m.name = std::string(file_.string("general.name", ""));
  if (file_.integer("split.count", 1) > 1)
    throw error(XC_UNSUPPORTED, "split.count", offset_of("split.count"), "the model is split over several files; merge them first");
  if (file_.integer(key("expert_count"), 0) > 0)
    throw error(XC_UNSUPPORTED, key("expert_count"), offset_of(key("expert_count")), "mixture-of-experts models are not supported");
  if (!file_.boolean(key("attention.causal"), true))
    throw error(XC_UNSUPPORTED, key("attention.causal"), offset_of(key("attention.causal")), "models without causal attention are not supported");

  m.width = count("embedding_length", 1, kMaxWidth);
  m.layers_count = count("block_count", 1, 4096);
  m.heads = count("attention.head_count", 1, 65536);
  m.kv_heads = count("attention.head_count_kv", 1, 65536, m.heads);
  m.ffn_width = count("feed_forward_length", 1, 8 * kMaxWidth);
  m.context_length = count("context_length", 1, 1 << 30);
  if (m.heads % m.kv_heads != 0)
    throw error(XC_INVALID_FORMAT, key("attention.head_count_kv"), offset_of(key("attention.head_count_kv")),
                "the %d heads cannot be shared out over %d key/value heads", m.heads, m.kv_heads);
  if (!file_.find(key("attention.key_length")) && m.width % m.heads != 0)
    throw error(XC_INVALID_FORMAT, key("attention.head_count"), offset_of(key("attention.head_count")),
                "the width %d is not a multiple of the %d heads", m.width, m.heads);
  m.head_dim = count("attention.key_length", 1, 65536, m.width / m.heads);
  if (const int32_t value_length = count("attention.value_length", 1, 65536, m.head_dim); value_length != m.head_dim)
    throw error(XC_UNSUPPORTED, key("attention.value_length"), offset_of(key("attention.value_length")),
                "values of length %d beside keys of length %d are not supported", value_length, m.head_dim);
  if (static_cast<int64_t>(m.heads) * m.head_dim > kMaxWidth)
    throw error(XC_INVALID_FORMAT, key("attention.head_count"), offset_of(key("attention.head_count")),
                "%d heads of %d dimensions are more than %d", m.heads, m.head_dim, kMaxWidth);
  m.norm_eps = positive("attention.layer_norm_rms_epsilon", 1e-5, 0.0, 1.0);
  m.rope_base = positive("rope.freq_base", 10000.0, 1.0, 1e30);
  m.rope_dims = count("rope.dimension_count", 0, m.head_dim, m.head_dim);
  if (m.rope_dims % 2 != 0)
    throw error(XC_INVALID_FORMAT, key("rope.dimension_count"), offset_of(key("rope.dimension_count")),
                "the number of rotated dimensions must be even, found %d", m.rope_dims);
  rope_scaling();
}

void Loader::rope_scaling() {
  const std::string type_key = key("rope.scaling.type");
  const std::string_view type = file_.string(type_key, "linear");
  if (type == "none") return;
  if (type != "linear")
    throw error(XC_UNSUPPORTED, type_key, offset_of(type_key), "the rope scaling '%s' is not supported; 'linear' and 'none' are",
                gguf::printable(type).c_str());
  const char* name = file_.find(key("rope.scaling.factor")) ? "rope.scaling.factor" : "rope.scale_linear";  // the older name
  const double factor = file_.number(key(name), 1.0);
  model_.rope_scale = factor == 0 ? 1.0f : positive(name, 1.0, 1e-6, 1e6);  // 0 means not scaled
}

const Tensor& Loader::tensor(const std::string& name) {
  const Tensor* found = file_.find_tensor(name);
  if (!found) throw error(XC_INVALID_FORMAT, name, -1, "the tensor '%s' is missing", name.c_str());
  used_.insert(found);
  return *found;
}

Matrix Loader::matrix(const std::string& name, int32_t rows, int32_t columns) {
  const Tensor& t = tensor(name);
  const int64_t where = static_cast<int64_t>(t.file_offset);
  const gguf::TypeTraits& traits = *gguf::type_traits(static_cast<uint32_t>(t.type));
  if (!can_multiply(t.type))
    throw error(XC_UNSUPPORTED, name, where, "the tensor '%s' has type %s; supported are F32, F16, Q8_0 and Q4_0", name.c_str(), traits.name);
  if (t.dimensions > 2 || t.shape[0] != static_cast<uint64_t>(columns) || t.shape[1] != static_cast<uint64_t>(rows))
    throw error(XC_INVALID_FORMAT, name, where, "the tensor '%s' must have the shape [%d, %d], found [%llu, %llu, %llu, %llu]",
                name.c_str(), columns, rows, static_cast<unsigned long long>(t.shape[0]), static_cast<unsigned long long>(t.shape[1]),
                static_cast<unsigned long long>(t.shape[2]), static_cast<unsigned long long>(t.shape[3]));
  return {t.data, t.type, rows, columns, t.shape[0] / traits.block_size * traits.block_bytes};
}

const float* Loader::floats(const std::string& name, int32_t count) {
  const Tensor& t = tensor(name);
  const int64_t where = static_cast<int64_t>(t.file_offset);
  if (t.type != TensorType::f32 && t.type != TensorType::f16)
    throw error(XC_UNSUPPORTED, name, where, "the tensor '%s' has type %s; F32 or F16 is needed", name.c_str(),
                gguf::type_traits(static_cast<uint32_t>(t.type))->name);
  if (t.dimensions != 1 || t.shape[0] != static_cast<uint64_t>(count))
    throw error(XC_INVALID_FORMAT, name, where, "the tensor '%s' must hold %d numbers, found %u dimensions with %llu in the first",
                name.c_str(), count, t.dimensions, static_cast<unsigned long long>(t.shape[0]));
  if (t.type == TensorType::f32 && reinterpret_cast<uintptr_t>(t.data) % alignof(float) == 0)
    return reinterpret_cast<const float*>(t.data);
  auto copy = std::make_unique<float[]>(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    if (t.type == TensorType::f32) {
      std::memcpy(&copy[static_cast<size_t>(i)], t.data + static_cast<size_t>(i) * 4, 4);
    } else {
      uint16_t half;
      std::memcpy(&half, t.data + static_cast<size_t>(i) * 2, 2);
      copy[static_cast<size_t>(i)] = float_from_half(half);
    }
  }
  model_.converted.push_back(std::move(copy));
  return model_.converted.back().get();
}

void Loader::weights() {
  Model& m = model_;
  const Tensor& embedding = tensor("token_embd.weight");
  if (embedding.shape[1] > (1u << 24))
    throw error(XC_INVALID_FORMAT, "token_embd.weight", static_cast<int64_t>(embedding.file_offset), "a vocabulary of %llu tokens is more than 2^24",
                static_cast<unsigned long long>(embedding.shape[1]));
  m.vocabulary = static_cast<int32_t>(embedding.shape[1]);  // llama.vocab_size may disagree; the tensor is what counts
  m.embedding = matrix("token_embd.weight", m.vocabulary, m.width);
  m.output_norm = floats("output_norm.weight", m.width);
  m.output = file_.find_tensor("output.weight") ? matrix("output.weight", m.vocabulary, m.width) : m.embedding;
  if (m.rope_dims > 0 && file_.find_tensor("rope_freqs.weight")) {
    m.rope_factors = floats("rope_freqs.weight", m.rope_dims / 2);
    for (int32_t i = 0; i < m.rope_dims / 2; ++i)
      if (!(m.rope_factors[i] > 1e-6f && m.rope_factors[i] < 1e6f))
        throw error(XC_INVALID_FORMAT, "rope_freqs.weight", static_cast<int64_t>(tensor("rope_freqs.weight").file_offset),
                    "divisor %d must be in 1e-6..1e6, found %g", i, static_cast<double>(m.rope_factors[i]));
  }
  for (int32_t i = 0; i < m.layers_count; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    const int32_t q_width = m.heads * m.head_dim, kv_width = m.kv_heads * m.head_dim;
    Layer layer;
    layer.attention_norm = floats(block + "attn_norm.weight", m.width);
    layer.q = matrix(block + "attn_q.weight", q_width, m.width);
    layer.k = matrix(block + "attn_k.weight", kv_width, m.width);
    layer.v = matrix(block + "attn_v.weight", kv_width, m.width);
    layer.output = matrix(block + "attn_output.weight", m.width, q_width);
    layer.ffn_norm = floats(block + "ffn_norm.weight", m.width);
    layer.gate = matrix(block + "ffn_gate.weight", m.ffn_width, m.width);
    layer.up = matrix(block + "ffn_up.weight", m.ffn_width, m.width);
    layer.down = matrix(block + "ffn_down.weight", m.width, m.ffn_width);
    m.layers.push_back(layer);
  }
  // A tensor nobody asked for (a bias, a second norm) would change the results: better refused than ignored.
  for (const Tensor& t : file_.tensors()) {
    const bool harmless = t.name == "rope_freqs.weight" || t.name.find("rot_embd") != std::string::npos ||
                          t.name.find("rope.freqs") != std::string::npos;
    if (!harmless && !used_.count(&t))
      throw error(XC_UNSUPPORTED, gguf::printable(t.name), static_cast<int64_t>(t.file_offset),
                  "the tensor '%s' is not part of a llama model of %d layers", gguf::printable(t.name).c_str(), m.layers_count);
  }
}

}  // namespace

std::shared_ptr<const Model> load_model(std::shared_ptr<const File> file) {
  auto model = std::make_shared<Model>();
  model->file = file;
  Loader loader(*file, *model);
  loader.hyperparameters();
  loader.weights();
  return model;
}

static uint64_t bytes_of(const Matrix& m) { return static_cast<uint64_t>(m.rows) * m.row_bytes; }

uint64_t Model::weight_bytes() const {
  uint64_t bytes = bytes_of(output) + static_cast<uint64_t>(width) * sizeof(float);
  if (output.data != embedding.data) bytes += embedding.row_bytes;
  for (const Layer& l : layers) {
    for (const Matrix* m : {&l.q, &l.k, &l.v, &l.output, &l.gate, &l.up, &l.down}) bytes += bytes_of(*m);
    bytes += static_cast<uint64_t>(width) * 2 * sizeof(float);
  }
  return bytes;
}

uint64_t Model::parameters() const {
  uint64_t count = 0;
  for (const Tensor& t : file->tensors()) count += t.shape[0] * t.shape[1] * t.shape[2] * t.shape[3];
  return count;
}

}  // namespace xcore::llm
