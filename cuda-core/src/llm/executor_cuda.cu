// The GPU executor. A sequence has its own stream, cache and workspace; the weights are shared. A decode step is one CUDA
// graph that reads position and token from device memory, so that the same graph serves every step, and a greedy step
// leaves there what the next one needs: seven kernels a layer, no logits and no host between steps but the chosen id.
#include <algorithm>
#include <utility>

#include "llm/attention/attention_cuda.hpp"
#include "llm/embedding/embedding_cuda.hpp"
#include "llm/executor.hpp"
#include "llm/logprob/logprob_cuda.hpp"
#include "llm/matmul/matmul_cuda.hpp"
#include "llm/quantize/quantize_cuda.hpp"
#include "llm/rms_norm/rms_norm_cuda.hpp"
#include "llm/rope/rope_cuda.hpp"
#include "llm/swiglu/swiglu_cuda.hpp"
#include "runtime/trace.hpp"

namespace xcore::llm {

namespace {

// Tokens that go through the layers together; between such blocks a call can be cancelled.
constexpr int32_t kTokensAtOnce = 256;

bool any_float(std::initializer_list<const DeviceMatrix*> matrices) {
  return std::any_of(matrices.begin(), matrices.end(), [](const DeviceMatrix* m) { return !takes_quantized(m->type); });
}
bool any_quantized(std::initializer_list<const DeviceMatrix*> matrices) {
  return std::any_of(matrices.begin(), matrices.end(), [](const DeviceMatrix* m) { return takes_quantized(m->type); });
}

// Int8 rows of up to `columns` columns; the scales' room covers columns that are no multiple of 32, which are never used.
struct QuantizedBuffer {
  QuantizedBuffer(size_t tokens, size_t columns, const cuda::Stream& stream)
      : q(tokens * columns, stream), scale(tokens * (columns / 32 + 1), stream) {}
  QuantizedRows rows() { return {q.data(), scale.data()}; }
  cuda::Buffer<int8_t> q;
  cuda::Buffer<float> scale;
};

// What a forward pass writes besides the cache, for up to `tokens` tokens of which `logit_rows` end in logits.
struct Workspace {
  Workspace(const Model& m, size_t tokens, size_t logit_rows, size_t partials, size_t tiles, const cuda::Stream& stream)
      : x(tokens * m.width, stream),
        normed(tokens * m.width, stream),
        q(tokens * m.heads * m.head_dim, stream),
        k(tokens * m.kv_heads * m.head_dim, stream),
        v(tokens * m.kv_heads * m.head_dim, stream),
        attended(tokens * m.heads * m.head_dim, stream),
        gate(tokens * m.ffn_width, stream),
        up(tokens * m.ffn_width, stream),
        logits(logit_rows * m.vocabulary, stream),
        partials(partials, stream),
        finished(tiles, stream),
        input(tokens, std::max<size_t>(m.width, static_cast<size_t>(m.heads) * m.head_dim), stream),
        activated(tokens, m.ffn_width, stream) {
    XC_CUDA(cudaMemsetAsync(finished.data(), 0, tiles * sizeof(uint32_t), stream));
  }
  cuda::Buffer<float> x, normed, q, k, v, attended, gate, up, logits, partials;
  cuda::Buffer<uint32_t> finished;
  QuantizedBuffer input, activated;  // of the products with the width of the model; of the down projection
};

// A step that is enqueued kernel by kernel the first time, which loads the kernels, and captured the second time.
class Graph {
 public:
  Graph() = default;
  ~Graph() {
    if (exec_) cudaGraphExecDestroy(exec_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  template <class Enqueue>
  void launch(const cuda::Stream& stream, Enqueue&& enqueue) {
    if (!std::exchange(used_, true)) return enqueue();
    if (!exec_) capture(stream, enqueue);
    XC_CUDA(cudaGraphLaunch(exec_, stream));
  }

 private:
  template <class Enqueue>
  void capture(const cuda::Stream& stream, Enqueue&& enqueue) {
    cudaGraph_t graph = nullptr;
    XC_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    try {
      enqueue();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      if (graph) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    XC_CUDA(cudaStreamEndCapture(stream, &graph));
    const cudaError_t result = cudaGraphInstantiate(&exec_, graph, 0);
    cudaGraphDestroy(graph);
    cuda::check(result, "cudaGraphInstantiate");
  }
  bool used_ = false;
  cudaGraphExec_t exec_ = nullptr;
};

AttentionPlan plan_of(const DeviceModel& model, int32_t tokens, int64_t positions) {
  const Model& m = *model.host;
  return attention_plan(m.heads, m.kv_heads, m.head_dim, tokens, positions, model.processors);
}

// Scratch of attention that serves 1..tokens tokens.
struct AttentionNeeds {
  size_t partials = 0, tiles = 0;
  AttentionNeeds(const DeviceModel& model, int32_t from, int32_t to, int64_t positions) {
    for (int32_t t = from; t <= to; ++t) {
      const AttentionPlan plan = plan_of(model, t, positions);
      partials = std::max(partials, plan.partial_count);
      tiles = std::max(tiles, static_cast<size_t>(plan.tiles) * model.host->kv_heads);
    }
  }
};

class CudaSequence final : public Sequence {
 public:
  CudaSequence(std::shared_ptr<const DeviceModel> device_model, int32_t capacity)
      : model(std::move(device_model)),
        stream(model->device),
        capacity_(capacity),
        stride(model->host->kv_heads * cache_head_dim(model->host->head_dim)),
        k_(cache_values(), stream),
        v_(cache_values(), stream),
        cos_sin(static_cast<size_t>(capacity) * model->host->rope_dims, stream),
        state(1 + kTokensAtOnce, stream),
        state_host(1 + kTokensAtOnce),
        best(1),
        logprob_partials(3 * kLogprobBlocks, stream),
        logprob_finished(1, stream),
        few(workspace_for_few()) {
    const Model& m = *model->host;
    // Heads are padded to a multiple of 8 values; the padding is read, so it must hold numbers.
    if (cache_head_dim(m.head_dim) != m.head_dim) {
      XC_CUDA(cudaMemsetAsync(k_.data(), 0, cache_values() * sizeof(__half), stream));
      XC_CUDA(cudaMemsetAsync(v_.data(), 0, cache_values() * sizeof(__half), stream));
    }
    XC_CUDA(cudaMemsetAsync(logprob_finished.data(), 0, sizeof(uint32_t), stream));
    rope_table_cuda(model->frequencies, m.rope_dims / 2, capacity, cos_sin.data(), stream);
    stream.synchronize();
  }

  int32_t length() const override { return length_; }
  int32_t capacity() const override { return capacity_; }
  void truncate(int32_t length) override {
    if (length < 0 || length > length_)
      throw invalid_argument("length", "a sequence of %d positions cannot be cut to %d", length_, length);
    length_ = length;
  }
  void advance(int32_t length) { length_ = length; }

  RopeCache rope_cache(int32_t layer) {
    const Model& m = *model->host;
    const size_t first = static_cast<size_t>(layer) * capacity_ * stride;
    return {cos_sin.data(), m.rope_dims / 2, m.head_dim, cache_head_dim(m.head_dim), stride, position(),
            k_.data() + first, v_.data() + first};
  }
  const int32_t* position() { return state.data(); }
  const int32_t* ids() { return state.data() + 1; }

  // Puts position and tokens where the kernels read them. The stream is idle between blocks, so that the page-locked
  // copy may be overwritten.
  void upload_state(int32_t first, const int32_t* tokens, int32_t count) {
    ready_position = -1;
    state_host.data()[0] = first;
    std::copy(tokens, tokens + count, state_host.data() + 1);
    state.upload(state_host.data(), static_cast<size_t>(count) + 1);
  }

  const std::shared_ptr<const DeviceModel> model;
  const cuda::Stream stream;

 private:
  size_t cache_values() const { return static_cast<size_t>(model->host->layers_count) * capacity_ * stride; }
  Workspace workspace_for_few() {
    const AttentionNeeds needs(*model, 1, kGemvTokens, capacity_);
    return Workspace(*model->host, kGemvTokens, 1, needs.partials, needs.tiles, stream);
  }
  const int32_t capacity_;
  int32_t length_ = 0;
  const int32_t stride;
  cuda::Buffer<__half> k_, v_;

 public:
  cuda::Buffer<float> cos_sin;
  cuda::Buffer<int32_t> state;  // position, then ids: a StepState and more
  cuda::PinnedBuffer<int32_t> state_host;
  cuda::PinnedBuffer<BestToken> best;
  cuda::Buffer<float> logprob_partials;
  cuda::Buffer<uint32_t> logprob_finished;
  Workspace few;  // for up to kGemvTokens tokens; the graphs hold its addresses
  Graph logits_step, greedy_step;
  // What the last greedy step left in `state`; position -1: something else is there.
  int32_t ready_position = -1, ready_id = -1;
};

// Frees device memory with its device current.
struct SequenceHandle final : Sequence {
  explicit SequenceHandle(std::unique_ptr<CudaSequence> sequence) : own(std::move(sequence)) {}
  ~SequenceHandle() override {
    int previous = 0;
    cudaGetDevice(&previous);
    cudaSetDevice(own->model->device);
    cudaStreamSynchronize(own->stream);
    own.reset();
    cudaSetDevice(previous);
  }
  int32_t length() const override { return own->length(); }
  int32_t capacity() const override { return own->capacity(); }
  void truncate(int32_t length) override { own->truncate(length); }
  std::unique_ptr<CudaSequence> own;
};

class CudaExecutor final : public Executor {
 public:
  CudaExecutor(std::shared_ptr<const Model> model, int index) : index_(index) {
    if (model->head_dim > kMaxHeadDim)
      throw error(XC_UNSUPPORTED, model->architecture + ".attention.key_length", -1,
                  "heads of %d dimensions cannot run on a GPU; at most %d can. Use device 'cpu'.", model->head_dim, kMaxHeadDim);
    model_ = std::make_shared<const DeviceModel>(std::move(model), index);
  }

  xc_device device() const override { return cuda_device(index_); }
  uint64_t weight_bytes() const override { return model_->host->weight_bytes(); }

  std::unique_ptr<Sequence> create_sequence(int32_t capacity) override {
    if (capacity < 1 || capacity > model_->host->context_length)
      throw invalid_argument("capacity", "a sequence must have 1 to %d positions (the model's context), not %d",
                             model_->host->context_length, capacity);
    const cuda::DeviceScope scope(index_);
    return std::make_unique<SequenceHandle>(std::make_unique<CudaSequence>(model_, capacity));
  }

  void forward(Sequence& sequence, const int32_t* ids, int32_t count, Logits which, float* logits,
               const Control& control) override {
    run(*static_cast<SequenceHandle&>(sequence).own, ids, count, which, logits, nullptr, control);
  }

  Choice forward_greedy(Sequence& sequence, const int32_t* ids, int32_t count, const Control& control) override {
    Choice choice;
    run(*static_cast<SequenceHandle&>(sequence).own, ids, count, Logits::last, nullptr, &choice, control);
    return choice;
  }

 private:
  void run(CudaSequence& s, const int32_t* ids, int32_t count, Logits which, float* logits, Choice* choice,
           const Control& control) const;
  void decode(CudaSequence& s, int32_t id, Logits which, float* logits, Choice* choice) const;
  void layers(CudaSequence& s, Workspace& w, int32_t tokens, const AttentionPlan& plan) const;
  void attend(CudaSequence& s, Workspace& w, int32_t layer, int32_t tokens, const AttentionPlan& plan) const;
  void feed_forward(CudaSequence& s, Workspace& w, const DeviceLayer& layer, int32_t tokens) const;
  void head(CudaSequence& s, Workspace& w, int32_t first, int32_t tokens) const;
  void choose(CudaSequence& s, Workspace& w, StepState* next) const;

  int index_;
  std::shared_ptr<const DeviceModel> model_;
};

void CudaExecutor::attend(CudaSequence& s, Workspace& w, int32_t i, int32_t tokens, const AttentionPlan& plan) const {
  const Model& m = *model_->host;
  const DeviceLayer& layer = model_->layers[static_cast<size_t>(i)];
  const QuantizedRows none{};
  rms_norm_cuda(w.x.data(), layer.attention_norm, tokens, m.width, m.norm_eps,
                any_float({&layer.q, &layer.k, &layer.v}) ? w.normed.data() : nullptr,
                any_quantized({&layer.q, &layer.k, &layer.v}) ? w.input.rows() : none, s.stream);
  const Activations normed{w.normed.data(), w.input.rows()};
  const RopeCache cache = s.rope_cache(i);
  if (qkv_fits(layer.q, layer.k, layer.v, tokens, m.head_dim)) {
    qkv_rope_cuda(layer.q, layer.k, layer.v, normed, tokens, cache, w.q.data(), s.stream);
  } else {
    const DeviceProduct products[] = {{&layer.q, w.q.data()}, {&layer.k, w.k.data()}, {&layer.v, w.v.data()}};
    matmul_cuda(products, 3, normed, tokens, Store::set, s.stream);
    rope_cache_cuda(w.q.data(), w.k.data(), w.v.data(), tokens, m.heads, m.kv_heads, cache, s.stream);
  }
  const bool quantize = takes_quantized(layer.output.type);
  const bool at_once = quantize && m.head_dim % 32 == 0;
  attention_cuda(m.heads, m.kv_heads, m.head_dim, tokens, s.position(), plan, w.q.data(), cache.k, cache.v,
                 {w.partials.data(), w.finished.data()}, at_once ? nullptr : w.attended.data(),
                 at_once ? w.input.rows() : none, s.stream);
  if (quantize && !at_once)
    quantize_rows_cuda(w.attended.data(), tokens, m.heads * m.head_dim, w.input.rows(), s.stream);
  matmul_cuda(layer.output, {w.attended.data(), w.input.rows()}, tokens, w.x.data(), Store::add, s.stream);
}

void CudaExecutor::feed_forward(CudaSequence& s, Workspace& w, const DeviceLayer& layer, int32_t tokens) const {
  const Model& m = *model_->host;
  const QuantizedRows none{};
  rms_norm_cuda(w.x.data(), layer.ffn_norm, tokens, m.width, m.norm_eps,
                any_float({&layer.gate, &layer.up}) ? w.normed.data() : nullptr,
                any_quantized({&layer.gate, &layer.up}) ? w.input.rows() : none, s.stream);
  const Activations normed{w.normed.data(), w.input.rows()};
  const bool quantize = takes_quantized(layer.down.type);
  float* const activated = quantize ? nullptr : w.gate.data();
  const QuantizedRows quantized = quantize ? w.activated.rows() : none;
  if (swiglu_fits(layer.gate, layer.up, tokens)) {
    swiglu_matmul_cuda(layer.gate, layer.up, normed, tokens, activated, quantized, s.stream);
  } else {
    const DeviceProduct products[] = {{&layer.gate, w.gate.data()}, {&layer.up, w.up.data()}};
    matmul_cuda(products, 2, normed, tokens, Store::set, s.stream);
    swiglu_cuda(w.gate.data(), w.up.data(), static_cast<int64_t>(tokens) * m.ffn_width, activated, quantized, s.stream);
  }
  matmul_cuda(layer.down, {w.gate.data(), w.activated.rows()}, tokens, w.x.data(), Store::add, s.stream);
}

// The tokens of s.state through all layers; leaves their last hidden states in w.x.
void CudaExecutor::layers(CudaSequence& s, Workspace& w, int32_t tokens, const AttentionPlan& plan) const {
  embedding_cuda(model_->embedding, s.ids(), tokens, w.x.data(), s.stream);
  for (int32_t i = 0; i < model_->host->layers_count; ++i) {
    attend(s, w, i, tokens, plan);
    feed_forward(s, w, model_->layers[static_cast<size_t>(i)], tokens);
  }
}

// Logits of `tokens` rows of w.x from row `first` on.
void CudaExecutor::head(CudaSequence& s, Workspace& w, int32_t first, int32_t tokens) const {
  const Model& m = *model_->host;
  const bool quantize = takes_quantized(model_->output.type);
  rms_norm_cuda(w.x.data() + static_cast<int64_t>(first) * m.width, model_->output_norm, tokens, m.width, m.norm_eps,
                quantize ? nullptr : w.normed.data(), quantize ? w.input.rows() : QuantizedRows{}, s.stream);
  matmul_cuda(model_->output, {w.normed.data(), w.input.rows()}, tokens, w.logits.data(), Store::set, s.stream);
}

void CudaExecutor::choose(CudaSequence& s, Workspace& w, StepState* next) const {
  best_token_cuda(w.logits.data(), model_->host->vocabulary, {s.logprob_partials.data(), s.logprob_finished.data()},
                  s.best.data(), next, s.stream);
}

// One token by a captured graph. Its attention is planned for the whole capacity, since positions are not known here.
void CudaExecutor::decode(CudaSequence& s, int32_t id, Logits which, float* logits, Choice* choice) const {
  const int32_t position = s.length();
  if (s.ready_position != position || s.ready_id != id) s.upload_state(position, &id, 1);
  auto step = [&] {
    layers(s, s.few, 1, plan_of(*model_, 1, s.capacity()));
    head(s, s.few, 0, 1);
  };
  s.ready_position = -1;
  if (!choice) {
    s.logits_step.launch(s.stream, step);
    if (which != Logits::none) s.few.logits.download(logits, static_cast<size_t>(model_->host->vocabulary));
    s.stream.synchronize();
    return;
  }
  s.greedy_step.launch(s.stream, [&] {
    step();
    choose(s, s.few, reinterpret_cast<StepState*>(s.state.data()));
  });
  s.stream.synchronize();
  *choice = {s.best.data()->id, s.best.data()->logprob};
  s.ready_position = position + 1;
  s.ready_id = choice->id;
}

void CudaExecutor::run(CudaSequence& s, const int32_t* ids, int32_t count, Logits which, float* logits, Choice* choice,
                       const Control& control) const {
  if (count < 1) throw invalid_argument("count", "at least one token is needed, not %d", count);
  const int32_t start = s.length();
  if (count > s.capacity() - start)
    throw error(XC_LIMIT_EXCEEDED, "count", -1, "%d tokens do not fit behind the %d of a sequence of %d positions", count, start,
                s.capacity());
  control.throw_if_cancelled();
  const cuda::DeviceScope scope(index_);
  const trace::OpTimer timer("llm.forward", device(), weight_bytes());
  if (count == 1) {
    decode(s, ids[0], which, logits, choice);
    s.advance(start + 1);
    return;
  }
  const size_t vocabulary = static_cast<size_t>(model_->host->vocabulary);
  const int32_t widest = std::min(count, kTokensAtOnce);
  // More tokens than the sequence's own workspace holds, or more rows of logits, get one from the pool for this call.
  std::unique_ptr<Workspace> many;
  if (widest > kGemvTokens || which == Logits::all) {
    const AttentionNeeds needs(*model_, 1, widest, start + count);
    many = std::make_unique<Workspace>(*model_->host, widest, which == Logits::all ? widest : 1, needs.partials, needs.tiles, s.stream);
  }
  Workspace& w = many ? *many : s.few;
  for (int32_t done = 0; done < count;) {
    control.throw_if_cancelled();
    const int32_t tokens = std::min(kTokensAtOnce, count - done);
    s.upload_state(start + done, ids + done, tokens);
    layers(s, w, tokens, plan_of(*model_, tokens, start + done + tokens));
    const bool ends = done + tokens == count;
    if (which == Logits::all) {
      head(s, w, 0, tokens);
      w.logits.download(logits + static_cast<size_t>(done) * vocabulary, static_cast<size_t>(tokens) * vocabulary);
    } else if (which == Logits::last && ends) {
      head(s, w, tokens - 1, 1);
      if (choice)
        choose(s, w, nullptr);
      else
        w.logits.download(logits, vocabulary);
    }
    s.stream.synchronize();
    done += tokens;
  }
  if (choice) *choice = {s.best.data()->id, s.best.data()->logprob};
  // Only now: after an exception above the sequence is as it was, and what was written behind its end does not count.
  s.advance(start + count);
}

}  // namespace

std::unique_ptr<Executor> make_cuda_executor(std::shared_ptr<const Model> model, int device) {
  const xc_device chosen = resolve_device(cuda_device(device), true, "llm.forward");
  return std::make_unique<CudaExecutor>(std::move(model), chosen.index);
}

}  // namespace xcore::llm
