// Writes small GGUF files into memory, right ones and, by patching, wrong ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "gguf/gguf.hpp"
#include "runtime/philox.hpp"

namespace xcore::testing {

class GgufWriter {
 public:
  explicit GgufWriter(uint32_t version = 3, uint64_t alignment = 32) : version_(version), alignment_(alignment) {}

  GgufWriter& u32(const std::string& key, uint32_t v) { return scalar(key, 4, v); }
  GgufWriter& i32(const std::string& key, int32_t v) { return scalar(key, 5, v); }
  GgufWriter& f32(const std::string& key, float v) { return scalar(key, 6, v); }
  GgufWriter& boolean(const std::string& key, uint8_t v) { return scalar(key, 7, v); }
  GgufWriter& string(const std::string& key, const std::string& v) {
    begin(key, 8);
    text(metadata_, v);
    return *this;
  }
  // Any scalar: `type` is the format's id.
  template <class T>
  GgufWriter& scalar(const std::string& key, uint32_t type, T v) {
    begin(key, type);
    put(metadata_, v);
    return *this;
  }
  template <class T>
  GgufWriter& array(const std::string& key, uint32_t type, const std::vector<T>& values) {
    begin(key, 9);
    put(metadata_, type);
    put(metadata_, static_cast<uint64_t>(values.size()));
    for (const T& v : values) put(metadata_, v);
    return *this;
  }
  GgufWriter& strings(const std::string& key, const std::vector<std::string>& values) {
    begin(key, 9);
    put(metadata_, uint32_t{8});
    put(metadata_, static_cast<uint64_t>(values.size()));
    for (const std::string& v : values) text(metadata_, v);
    return *this;
  }

  // shape[0] is the contiguous dimension. The bytes must fit the shape for a right file.
  GgufWriter& tensor(const std::string& name, const std::vector<uint64_t>& shape, uint32_t type, const std::vector<uint8_t>& bytes) {
    tensors_.push_back({name, shape, type, bytes});
    return *this;
  }
  // Random values of about 1 / sqrt(columns).
  GgufWriter& random_tensor(const std::string& name, const std::vector<uint64_t>& shape, gguf::TensorType type, uint64_t seed) {
    const gguf::TypeTraits& traits = *gguf::type_traits(static_cast<uint32_t>(type));
    uint64_t elements = 1;
    for (const uint64_t n : shape) elements *= n;
    std::vector<uint8_t> bytes(elements / traits.block_size * traits.block_bytes);
    Philox random(seed);
    for (size_t at = 0; at < bytes.size(); at += traits.block_bytes) {
      for (size_t i = 0; i < traits.block_bytes; ++i) bytes[at + i] = static_cast<uint8_t>(random.next_u32());
      if (type == gguf::TensorType::f32) {
        const float x = (random.next_float() - 0.5f) * 0.5f;
        std::memcpy(&bytes[at], &x, 4);
      } else {  // a binary16 of small magnitude leads: the value of F16, the scale of a block
        bytes[at + 1] = static_cast<uint8_t>((bytes[at + 1] & 0x83) | (type == gguf::TensorType::f16 ? 0x28 : 0x10));
      }
    }
    return tensor(name, shape, static_cast<uint32_t>(type), bytes);
  }

  std::vector<uint8_t> bytes() const {
    std::vector<uint8_t> out;
    for (const char c : {'G', 'G', 'U', 'F'}) out.push_back(static_cast<uint8_t>(c));
    put(out, version_);
    put(out, static_cast<uint64_t>(tensors_.size()));
    put(out, entries_);
    out.insert(out.end(), metadata_.begin(), metadata_.end());
    uint64_t offset = 0;
    for (const Tensor& t : tensors_) {
      text(out, t.name);
      put(out, static_cast<uint32_t>(t.shape.size()));
      for (const uint64_t n : t.shape) put(out, n);
      put(out, t.type);
      put(out, offset);
      offset += padded(t.bytes.size());
    }
    if (!tensors_.empty()) out.resize(padded(out.size()));
    for (const Tensor& t : tensors_) {
      out.insert(out.end(), t.bytes.begin(), t.bytes.end());
      out.resize(out.size() + padded(t.bytes.size()) - t.bytes.size());
    }
    return out;
  }

  template <class T>
  static void put(std::vector<uint8_t>& out, T v) {
    const auto* p = reinterpret_cast<const uint8_t*>(&v);
    out.insert(out.end(), p, p + sizeof v);
  }

 private:
  struct Tensor {
    std::string name;
    std::vector<uint64_t> shape;
    uint32_t type;
    std::vector<uint8_t> bytes;
  };
  static void text(std::vector<uint8_t>& out, const std::string& s) {
    put(out, static_cast<uint64_t>(s.size()));
    out.insert(out.end(), s.begin(), s.end());
  }
  void begin(const std::string& key, uint32_t type) {
    text(metadata_, key);
    put(metadata_, type);
    ++entries_;
  }
  size_t padded(size_t n) const { return (n + alignment_ - 1) / alignment_ * alignment_; }

  uint32_t version_;
  uint64_t alignment_;
  uint64_t entries_ = 0;
  std::vector<uint8_t> metadata_;
  std::vector<Tensor> tensors_;
};

// A whole llama model with random weights. Change a field to make the file that a test needs.
struct TinyLlama {
  uint32_t width = 64, layers = 2, heads = 4, kv_heads = 2, head_dim = 16, ffn = 96, vocabulary = 40, context = 128;
  gguf::TensorType type = gguf::TensorType::f32;
  bool tied = false, write_key_length = false, rope_factors = false;
  std::string architecture = "llama";
  std::string without;  // a tensor to leave out

  GgufWriter writer() const {
    GgufWriter w;
    const std::string a = architecture + ".";
    w.string("general.architecture", architecture).string("general.name", "tiny");
    w.u32(a + "embedding_length", width).u32(a + "block_count", layers).u32(a + "attention.head_count", heads);
    w.u32(a + "attention.head_count_kv", kv_heads).u32(a + "feed_forward_length", ffn).u32(a + "context_length", context);
    w.f32(a + "attention.layer_norm_rms_epsilon", 1e-5f);
    if (write_key_length) w.u32(a + "attention.key_length", head_dim).u32(a + "attention.value_length", head_dim);
    return w;
  }
  void tensors(GgufWriter& w) const {
    uint64_t seed = 1;
    const auto add = [&](const std::string& name, std::vector<uint64_t> shape, gguf::TensorType t) {
      if (name != without) w.random_tensor(name, shape, t, seed++);
    };
    const gguf::TensorType plain = gguf::TensorType::f32;
    add("token_embd.weight", {width, vocabulary}, type);
    add("output_norm.weight", {width}, plain);
    if (!tied) add("output.weight", {width, vocabulary}, type);
    if (rope_factors && without != "rope_freqs.weight") {
      std::vector<uint8_t> bytes;
      for (uint32_t i = 0; i < head_dim / 2; ++i) GgufWriter::put(bytes, 1.0f + static_cast<float>(i));
      w.tensor("rope_freqs.weight", {head_dim / 2}, 0, bytes);
    }
    for (uint32_t i = 0; i < layers; ++i) {
      const std::string b = "blk." + std::to_string(i) + ".";
      add(b + "attn_norm.weight", {width}, plain);
      add(b + "attn_q.weight", {width, heads * head_dim}, type);
      add(b + "attn_k.weight", {width, kv_heads * head_dim}, type);
      add(b + "attn_v.weight", {width, kv_heads * head_dim}, type);
      add(b + "attn_output.weight", {heads * head_dim, width}, type);
      add(b + "ffn_norm.weight", {width}, plain);
      add(b + "ffn_gate.weight", {width, ffn}, type);
      add(b + "ffn_up.weight", {width, ffn}, type);
      add(b + "ffn_down.weight", {ffn, width}, type);
    }
  }
  std::vector<uint8_t> bytes() const {
    GgufWriter w = writer();
    tensors(w);
    return w.bytes();
  }
};

}  // namespace xcore::testing
