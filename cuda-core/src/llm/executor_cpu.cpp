#include <algorithm>
#include <new>
#include <vector>

#include "llm/attention/attention.hpp"
#include "llm/embedding/embedding.hpp"
#include "llm/executor.hpp"
#include "llm/half/half.hpp"
#include "llm/half/half_rows.hpp"
#include "llm/logprob/logprob.hpp"
#include "llm/matmul/matmul.hpp"
#include "llm/rms_norm/rms_norm.hpp"
#include "llm/rope/rope.hpp"
#include "llm/swiglu/swiglu.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {
namespace {

// Tokens that go through the layers together: enough to use each weight often, few enough that the workspace stays
// small and a cancelled call ends soon.
constexpr int32_t kTokensAtOnce = 128;

// Everything a forward pass writes besides the cache, for up to `tokens` tokens. Kept with the sequence, so that a
// decode step allocates nothing.
struct Workspace {
  int32_t tokens = 0;
  std::vector<float> x, normed, q, k, v, attended, gate, up, projected, cos_sin, scales, logits;
  std::vector<int8_t> quants;
};

class CpuSequence final : public Sequence {
 public:
  CpuSequence(const Model& model, int32_t capacity) : capacity_(capacity) {
    layer_size_ = static_cast<uint64_t>(capacity) * static_cast<uint64_t>(model.kv_heads) * static_cast<uint64_t>(model.head_dim);
    const uint64_t elements = layer_size_ * static_cast<uint64_t>(model.layers_count);
    if (elements > (uint64_t{1} << 46)) throw std::bad_alloc();
    k_.reset(new uint16_t[elements]);  // left uninitialised: pages appear as positions are filled
    v_.reset(new uint16_t[elements]);
  }
  int32_t length() const override { return length_; }
  int32_t capacity() const override { return capacity_; }
  void truncate(int32_t length) override {
    if (length < 0 || length > length_) throw invalid_argument("length", "a sequence of %d positions cannot be cut to %d", length_, length);
    length_ = length;
  }
  void advance(int32_t length) { length_ = length; }
  uint16_t* k(int32_t layer) { return k_.get() + layer_size_ * static_cast<uint64_t>(layer); }
  uint16_t* v(int32_t layer) { return v_.get() + layer_size_ * static_cast<uint64_t>(layer); }
  Workspace workspace;

 private:
  int32_t capacity_;
  int32_t length_ = 0;
  uint64_t layer_size_;
  std::unique_ptr<uint16_t[]> k_, v_;
};

class CpuExecutor final : public Executor {
 public:
  explicit CpuExecutor(std::shared_ptr<const Model> model)
      : model_(std::move(model)),
        frequencies_(rope_frequencies({model_->rope_dims, model_->rope_base, model_->rope_scale, model_->rope_factors})) {}

  xc_device device() const override { return kCpu; }
  uint64_t weight_bytes() const override { return model_->weight_bytes(); }

  std::unique_ptr<Sequence> create_sequence(int32_t capacity) override {
    if (capacity < 1 || capacity > model_->context_length)
      throw invalid_argument("capacity", "a sequence must have 1 to %d positions (the model's context), not %d", model_->context_length, capacity);
    try {
      return std::make_unique<CpuSequence>(*model_, capacity);
    } catch (const std::bad_alloc&) {
      const double bytes = 4.0 * capacity * model_->kv_heads * model_->head_dim * model_->layers_count;
      throw error(XC_OUT_OF_MEMORY, "capacity", -1, "the cache of %d positions needs %.0f MB, which cannot be had; ask for a smaller context",
                  capacity, bytes / 1e6);
    }
  }

  void forward(Sequence& sequence, const int32_t* ids, int32_t count, Logits which, float* logits,
               const Control& control) override {
    run(static_cast<CpuSequence&>(sequence), ids, count, which, logits, control);
  }

  Choice forward_greedy(Sequence& sequence, const int32_t* ids, int32_t count, const Control& control) override {
    auto& s = static_cast<CpuSequence&>(sequence);
    s.workspace.logits.resize(static_cast<size_t>(model_->vocabulary));
    run(s, ids, count, Logits::last, s.workspace.logits.data(), control);
    const BestToken best = best_token_cpu(s.workspace.logits.data(), model_->vocabulary);
    return {best.id, best.logprob};
  }

 private:
  void reserve(Workspace& w, int32_t tokens) const;
  void run(CpuSequence& sequence, const int32_t* ids, int32_t count, Logits which, float* logits, const Control& control);
  void block(CpuSequence& sequence, const int32_t* ids, int32_t tokens, int32_t position, const Control& control);
  void attend(CpuSequence& sequence, int32_t layer, int32_t tokens, int32_t position, const Control& control);
  void feed_forward(Workspace& w, const Layer& layer, int32_t tokens, const Control& control);
  void multiply(Workspace& w, std::initializer_list<Product> products, const float* x, int32_t tokens, const Control& control);
  void head(Workspace& w, const float* x, int32_t tokens, float* logits, const Control& control);

  std::shared_ptr<const Model> model_;
  std::vector<double> frequencies_;
};

void CpuExecutor::reserve(Workspace& w, int32_t tokens) const {
  if (w.tokens >= tokens) return;
  const Model& m = *model_;
  const size_t n = static_cast<size_t>(tokens), width = static_cast<size_t>(m.width), ffn = static_cast<size_t>(m.ffn_width);
  const size_t q_width = static_cast<size_t>(m.heads) * static_cast<size_t>(m.head_dim);
  const size_t kv_width = static_cast<size_t>(m.kv_heads) * static_cast<size_t>(m.head_dim);
  w.tokens = 0;  // should an allocation below fail
  w.x.resize(n * width);
  w.normed.resize(n * width);
  w.projected.resize(n * width);
  w.q.resize(n * q_width);
  w.attended.resize(n * q_width);
  w.k.resize(n * kv_width);
  w.v.resize(n * kv_width);
  w.gate.resize(n * ffn);
  w.up.resize(n * ffn);
  w.cos_sin.resize(n * static_cast<size_t>(m.rope_dims));
  w.quants.resize(n * std::max({width, q_width, ffn}));
  w.scales.resize(w.quants.size() / kBlock + 1);
  w.tokens = tokens;
}

// The products of one input, quantised once when any of them wants it. Every step of a layer that takes long is here,
// so here is where cancellation is looked at.
void CpuExecutor::multiply(Workspace& w, std::initializer_list<Product> products, const float* x, int32_t tokens, const Control& control) {
  control.throw_if_cancelled();
  Activations activations{x, {w.quants.data(), w.scales.data()}};
  const bool quantize = std::any_of(products.begin(), products.end(), [](const Product& p) { return takes_quantized(p.w->type); });
  if (quantize) quantize_rows_cpu(x, tokens, products.begin()->w->columns, activations.quantized);
  matmul_cpu(products, activations, tokens);
}

void add(float* x, const float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] += y[i];
}

void CpuExecutor::attend(CpuSequence& sequence, int32_t i, int32_t tokens, int32_t position, const Control& control) {
  const Model& m = *model_;
  const Layer& layer = m.layers[static_cast<size_t>(i)];
  Workspace& w = sequence.workspace;
  rms_norm_cpu(w.x.data(), layer.attention_norm, tokens, m.width, m.norm_eps, w.normed.data());
  multiply(w, {{&layer.q, w.q.data()}, {&layer.k, w.k.data()}, {&layer.v, w.v.data()}}, w.normed.data(), tokens, control);
  const int32_t pairs = m.rope_dims / 2;
  rope_cpu(w.q.data(), tokens, m.heads, m.head_dim, pairs, w.cos_sin.data());
  rope_cpu(w.k.data(), tokens, m.kv_heads, m.head_dim, pairs, w.cos_sin.data());
  const int64_t kv_width = static_cast<int64_t>(m.kv_heads) * m.head_dim;
  to_half_cpu(w.k.data(), tokens * kv_width, sequence.k(i) + position * kv_width);
  to_half_cpu(w.v.data(), tokens * kv_width, sequence.v(i) + position * kv_width);
  attention_cpu({m.heads, m.kv_heads, m.head_dim, tokens, position}, w.q.data(), sequence.k(i), sequence.v(i), w.attended.data());
  multiply(w, {{&layer.output, w.projected.data()}}, w.attended.data(), tokens, control);
  add(w.x.data(), w.projected.data(), static_cast<int64_t>(tokens) * m.width);
}

void CpuExecutor::feed_forward(Workspace& w, const Layer& layer, int32_t tokens, const Control& control) {
  const Model& m = *model_;
  rms_norm_cpu(w.x.data(), layer.ffn_norm, tokens, m.width, m.norm_eps, w.normed.data());
  multiply(w, {{&layer.gate, w.gate.data()}, {&layer.up, w.up.data()}}, w.normed.data(), tokens, control);
  swiglu_cpu(w.gate.data(), w.up.data(), static_cast<int64_t>(tokens) * m.ffn_width, w.gate.data());
  multiply(w, {{&layer.down, w.projected.data()}}, w.gate.data(), tokens, control);
  add(w.x.data(), w.projected.data(), static_cast<int64_t>(tokens) * m.width);
}

// One block of tokens through all layers; leaves their last hidden states in workspace.x.
void CpuExecutor::block(CpuSequence& sequence, const int32_t* ids, int32_t tokens, int32_t position, const Control& control) {
  Workspace& w = sequence.workspace;
  reserve(w, tokens);
  embedding_cpu(model_->embedding, ids, tokens, w.x.data());
  rope_table(frequencies_, position, tokens, w.cos_sin.data());
  for (int32_t i = 0; i < model_->layers_count; ++i) {
    attend(sequence, i, tokens, position, control);
    feed_forward(w, model_->layers[static_cast<size_t>(i)], tokens, control);
  }
}

void CpuExecutor::head(Workspace& w, const float* x, int32_t tokens, float* logits, const Control& control) {
  rms_norm_cpu(x, model_->output_norm, tokens, model_->width, model_->norm_eps, w.normed.data());
  multiply(w, {{&model_->output, logits}}, w.normed.data(), tokens, control);
}

void CpuExecutor::run(CpuSequence& sequence, const int32_t* ids, int32_t count, Logits which, float* logits, const Control& control) {
  if (count < 1) throw invalid_argument("count", "at least one token is needed, not %d", count);
  const int32_t start = sequence.length();
  if (count > sequence.capacity() - start)
    throw error(XC_LIMIT_EXCEEDED, "count", -1, "%d tokens do not fit behind the %d of a sequence of %d positions", count, start, sequence.capacity());
  const trace::OpTimer timer("llm.forward", kCpu, weight_bytes());
  for (int32_t done = 0; done < count;) {
    const int32_t tokens = std::min(kTokensAtOnce, count - done);
    block(sequence, ids + done, tokens, start + done, control);
    done += tokens;
    Workspace& w = sequence.workspace;
    if (which == Logits::all)
      head(w, w.x.data(), tokens, logits + static_cast<int64_t>(done - tokens) * model_->vocabulary, control);
    else if (which == Logits::last && done == count)
      head(w, w.x.data() + static_cast<int64_t>(tokens - 1) * model_->width, 1, logits, control);
  }
  // Only now: after an exception above the sequence is as it was, and what was written behind its end does not count.
  sequence.advance(start + count);
}

}  // namespace

std::unique_ptr<Executor> make_cpu_executor(std::shared_ptr<const Model> model) {
  return std::make_unique<CpuExecutor>(std::move(model));
}

}  // namespace xcore::llm
