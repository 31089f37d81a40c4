#include "llm/model.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "llm/executor.hpp"
#include "testing/backend.hpp"
#include "testing/gguf_writer.hpp"

namespace xcore::llm {
namespace {

using gguf::TensorType;
using testing::GgufWriter;
using testing::TinyLlama;
using Bytes = std::vector<uint8_t>;

std::shared_ptr<const Model> load(const Bytes& bytes) { return load_model(gguf::File::from_bytes(bytes.data(), bytes.size())); }

Error refusal(const Bytes& bytes) {
  try {
    load(bytes);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "an Error was expected";
  return Error(XC_OK, "");
}

// A tiny model with one more metadata entry.
Bytes with(const std::function<void(GgufWriter&)>& change, const TinyLlama& tiny = {}) {
  GgufWriter w = tiny.writer();
  change(w);
  tiny.tensors(w);
  return w.bytes();
}

TEST(Model, reads_hyperparameters_and_weights_of_every_type) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    TinyLlama tiny;
    tiny.type = type;
    const Bytes bytes = tiny.bytes();
    const auto m = load(bytes);
    EXPECT_EQ(m->width, 64);
    EXPECT_EQ(m->heads, 4);
    EXPECT_EQ(m->kv_heads, 2);
    EXPECT_EQ(m->head_dim, 16);
    EXPECT_EQ(m->rope_dims, 16);
    EXPECT_EQ(m->vocabulary, 40);
    EXPECT_EQ(m->layers.size(), 2u);
    EXPECT_EQ(m->layers[1].k.rows, 32);
    EXPECT_EQ(m->layers[1].down.columns, 96);
    EXPECT_EQ(m->layers[1].q.data, m->file->find_tensor("blk.1.attn_q.weight")->data) << "weights stay in the mapping";
    EXPECT_EQ(m->parameters(), 2u * 64 * 40 + 64 + 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 96 + 128));
  }
}

TEST(Model, ties_the_output_to_the_embedding_when_the_file_does) {
  TinyLlama tiny;
  tiny.tied = true;
  const Bytes bytes = tiny.bytes();
  const auto m = load(bytes);
  EXPECT_EQ(m->output.data, m->embedding.data);
  tiny.tied = false;
  const Bytes untied = tiny.bytes();
  EXPECT_NE(load(untied)->output.data, load(untied)->embedding.data);
  EXPECT_EQ(load(untied)->weight_bytes() - m->weight_bytes(), 64u * 4) << "one row of the embedding more";
}

TEST(Model, takes_the_head_size_from_the_file) {
  TinyLlama tiny;
  tiny.head_dim = 24;
  tiny.write_key_length = true;
  const Bytes bytes = tiny.bytes();
  const auto m = load(bytes);
  EXPECT_EQ(m->head_dim, 24);
  EXPECT_EQ(m->layers[0].q.rows, 96);
  EXPECT_EQ(m->layers[0].output.columns, 96);
}

TEST(Model, converts_norms_that_are_not_aligned_fp32) {
  TinyLlama tiny;
  tiny.without = "output_norm.weight";
  GgufWriter w = tiny.writer();
  tiny.tensors(w);
  Bytes ones;
  for (int i = 0; i < 64; ++i) GgufWriter::put(ones, uint16_t{0x3C00});
  w.tensor("output_norm.weight", {64}, 1, ones);
  const Bytes bytes = w.bytes();
  EXPECT_EQ(load(bytes)->output_norm[63], 1.0f);
  Bytes shifted(1);  // the same file at an odd address
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  const auto m = load_model(gguf::File::from_bytes(shifted.data() + 1, bytes.size()));
  const auto straight = load(bytes);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(m->layers[1].ffn_norm[i], straight->layers[1].ffn_norm[i]);
}

TEST(Model, reads_rope_scaling_and_factors) {
  TinyLlama tiny;
  tiny.rope_factors = true;
  const Bytes bytes = with([](GgufWriter& w) { w.string("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4.0f).f32("llama.rope.freq_base", 500000.0f).u32("llama.rope.dimension_count", 16); }, tiny);
  const auto m = load(bytes);
  EXPECT_EQ(m->rope_scale, 4.0f);
  EXPECT_EQ(m->rope_base, 500000.0f);
  EXPECT_EQ(m->rope_factors[7], 8.0f);
  const Bytes none = with([](GgufWriter& w) { w.string("llama.rope.scaling.type", "none").f32("llama.rope.scaling.factor", 4.0f); });
  EXPECT_EQ(load(none)->rope_scale, 1.0f);
  const Bytes old = with([](GgufWriter& w) { w.f32("llama.rope.scale_linear", 2.0f); });
  EXPECT_EQ(load(old)->rope_scale, 2.0f);
}

TEST(Model, refuses_what_it_cannot_run) {
  TinyLlama tiny;
  tiny.architecture = "mamba";
  const Error e = refusal(tiny.bytes());
  EXPECT_EQ(e.status, XC_UNSUPPORTED);
  EXPECT_NE(std::string(e.what()).find("mamba"), std::string::npos);
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.string("llama.rope.scaling.type", "yarn"); })).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.u32("llama.expert_count", 8); })).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.scalar("split.count", 2, uint16_t{3}); })).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.boolean("llama.attention.causal", 0); })).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.u32("llama.attention.value_length", 8); })).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.random_tensor("blk.0.attn_q.bias", {64}, TensorType::f32, 1); })).field, "blk.0.attn_q.bias");
  TinyLlama other;
  other.type = TensorType::q5_0;
  EXPECT_EQ(refusal(other.bytes()).status, XC_UNSUPPORTED);
  EXPECT_NE(std::string(refusal(other.bytes()).what()).find("Q5_0"), std::string::npos);
}

TEST(Model, names_the_tensor_that_is_missing_or_misshapen) {
  for (const char* name : {"token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.1.ffn_norm.weight", "blk.1.ffn_down.weight"}) {
    TinyLlama tiny;
    tiny.without = name;
    const Error missing = refusal(tiny.bytes());
    EXPECT_EQ(missing.field, name);
    EXPECT_EQ(missing.status, XC_INVALID_FORMAT);
    for (const std::vector<uint64_t>& shape : std::vector<std::vector<uint64_t>>{{32}, {32, 32}, {64, 96, 2}, {96, 96}}) {
      GgufWriter w = tiny.writer();
      tiny.tensors(w);
      w.random_tensor(name, shape, TensorType::f32, 1);
      const Error e = refusal(w.bytes());
      EXPECT_TRUE(e.field == name || std::string(name) == "token_embd.weight") << e.what();
      EXPECT_EQ(e.status, XC_INVALID_FORMAT);
    }
  }
  TinyLlama factors;
  factors.rope_factors = true;
  factors.without = "rope_freqs.weight";
  GgufWriter w = factors.writer();
  factors.tensors(w);
  w.tensor("rope_freqs.weight", {8}, 0, Bytes(32, 0));  // divisors of zero
  EXPECT_EQ(refusal(w.bytes()).field, "rope_freqs.weight");
}

TEST(Model, refuses_hyperparameters_out_of_range) {
  const auto broken = [](const std::function<void(TinyLlama&)>& change) {
    TinyLlama tiny;
    change(tiny);
    GgufWriter w = tiny.writer();
    TinyLlama().tensors(w);
    return refusal(w.bytes());
  };
  EXPECT_EQ(broken([](TinyLlama& t) { t.heads = 0; }).field, "llama.attention.head_count");
  EXPECT_EQ(broken([](TinyLlama& t) { t.heads = 3; }).status, XC_INVALID_FORMAT);
  EXPECT_EQ(broken([](TinyLlama& t) { t.kv_heads = 3; }).field, "llama.attention.head_count_kv");
  EXPECT_EQ(broken([](TinyLlama& t) { t.kv_heads = 8; }).field, "llama.attention.head_count_kv");
  EXPECT_EQ(broken([](TinyLlama& t) { t.width = 0; }).field, "llama.embedding_length");
  EXPECT_EQ(broken([](TinyLlama& t) { t.width = 0xFFFFFFFF; }).field, "llama.embedding_length");
  EXPECT_EQ(broken([](TinyLlama& t) { t.layers = 0; }).field, "llama.block_count");
  EXPECT_EQ(broken([](TinyLlama& t) { t.layers = 0xFFFFFFFF; }).field, "llama.block_count");
  EXPECT_EQ(broken([](TinyLlama& t) { t.layers = 4000; }).field, "blk.2.attn_norm.weight");
  EXPECT_EQ(broken([](TinyLlama& t) { t.layers = 1; }).status, XC_UNSUPPORTED) << "tensors of a second layer are left over";
  EXPECT_EQ(broken([](TinyLlama& t) { t.context = 0; }).field, "llama.context_length");
  EXPECT_EQ(broken([](TinyLlama& t) { t.ffn = 0; }).field, "llama.feed_forward_length");
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.u32("llama.rope.dimension_count", 7); })).field, "llama.rope.dimension_count");
  EXPECT_EQ(refusal(with([](GgufWriter& w) { w.u32("llama.rope.dimension_count", 18); })).field, "llama.rope.dimension_count");
  for (const float bad : {0.0f, -1.0f, NAN, INFINITY})
    EXPECT_EQ(refusal(with([&](GgufWriter& w) { w.f32("llama.rope.freq_base", bad); })).field, "llama.rope.freq_base");
  for (const float bad : {-1.0f, NAN, INFINITY})
    EXPECT_EQ(refusal(with([&](GgufWriter& w) { w.f32("llama.rope.scaling.factor", bad); })).field, "llama.rope.scaling.factor");
}

TEST(Model, a_per_layer_array_is_accepted_when_all_layers_agree) {
  const auto file = [](std::vector<uint32_t> counts) {
    GgufWriter w;
    w.string("general.architecture", "llama").u32("llama.embedding_length", 64).u32("llama.block_count", 2).u32("llama.attention.head_count", 4);
    w.array<uint32_t>("llama.attention.head_count_kv", 4, counts).u32("llama.feed_forward_length", 96).u32("llama.context_length", 64);
    TinyLlama().tensors(w);
    return w.bytes();
  };
  const Bytes equal = file({2, 2});
  EXPECT_EQ(load(equal)->kv_heads, 2);
  EXPECT_EQ(refusal(file({2, 4})).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(file({})).status, XC_INVALID_FORMAT);
}

TEST(Model, loads_the_reference_files) {
  for (const char* name : {"pool/pool-large-q4_0.gguf", "pool/pool-nano-q8_0.gguf", "reference/llm/stories260K-F16.gguf"}) {
    XC_REFERENCE_OR_SKIP(path, name);
    const auto m = load_model(gguf::File::open(path));
    EXPECT_GT(m->parameters(), 200000u) << name;
  }
  XC_REFERENCE_OR_SKIP(vocabulary_only, "reference/bpe/assets/gguf/ggml-vocab-llama-spm.gguf");
  EXPECT_THROW(load_model(gguf::File::open(vocabulary_only)), Error);
}

// Every shape that load_model lets through can be run: odd head sizes, no rotation, mixed widths.
TEST(Model, what_loads_also_runs) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0})
    for (const uint32_t head_dim : {16u, 40u}) {
      TinyLlama tiny;
      tiny.type = type;
      tiny.head_dim = head_dim;
      tiny.heads = 4;
      tiny.write_key_length = true;
      const Bytes bytes = tiny.bytes();
      const auto m = load(bytes);
      const auto executor = make_cpu_executor(m);
      const auto sequence = executor->create_sequence(20);
      std::vector<int32_t> ids(19);
      for (int i = 0; i < 19; ++i) ids[static_cast<size_t>(i)] = i * 7 % m->vocabulary;
      const auto choice = executor->forward_greedy(*sequence, ids.data(), 19, {});
      EXPECT_TRUE(choice.id >= 0 && choice.id < m->vocabulary);
      EXPECT_TRUE(choice.logprob <= 0 && choice.logprob > -10) << choice.logprob;
    }
}

}  // namespace
}  // namespace xcore::llm
