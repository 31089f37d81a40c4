// The seam between what a model is (model.hpp), what a conversation does (session) and who computes (executors).
// An executor holds the weights on its device and advances sequences; it knows nothing of text, sampling or files.
// Implementations: executor_cpu.cpp (composes the *_cpu ops) and executor_cuda.cu (composes the *_cuda kernels).
#pragma once

#include <cstdint>
#include <memory>

#include "llm/model.hpp"
#include "runtime/control.hpp"
#include "runtime/device.hpp"

namespace xcore::llm {

// The KV cache of one sequence on the executor's device: `length` positions are filled.
class Sequence {
 public:
  virtual ~Sequence() = default;
  virtual int32_t length() const = 0;
  virtual int32_t capacity() const = 0;
  // Forgets positions from `length` on, for prefix reuse and retries. 0 <= length <= this->length().
  virtual void truncate(int32_t length) = 0;
};

enum class Logits { none, last, all };

class Executor {
 public:
  virtual ~Executor() = default;
  virtual xc_device device() const = 0;
  virtual uint64_t weight_bytes() const = 0;

  // Error(XC_OUT_OF_MEMORY) when the cache does not fit. capacity <= model.context_length.
  virtual std::unique_ptr<Sequence> create_sequence(int32_t capacity) = 0;

  // Appends `count` tokens (ids already checked against the vocabulary, capacity already checked) and writes logits to
  // host memory: `vocabulary` floats for `last`, count * vocabulary for `all`. Blocks until they are there. Polls
  // `control` between blocks of at most a few hundred tokens. On any exception the sequence keeps its former length.
  // One call at a time per sequence; different sequences may be advanced from different threads.
  virtual void forward(Sequence& sequence, const int32_t* ids, int32_t count, Logits which, float* logits,
                       const Control& control) = 0;

  // One decode step that ends in the token of the largest logit (lowest id on ties) and its log-probability
  // (log-softmax of that logit over the whole vocabulary), without the logits leaving the device where that pays.
  struct Choice {
    int32_t id;
    float logprob;
  };
  virtual Choice forward_greedy(Sequence& sequence, const int32_t* ids, int32_t count, const Control& control) = 0;
};

std::unique_ptr<Executor> make_cpu_executor(std::shared_ptr<const Model> model);
// Error(XC_DEVICE_UNAVAILABLE) when the core was built without CUDA.
std::unique_ptr<Executor> make_cuda_executor(std::shared_ptr<const Model> model, int device);

}  // namespace xcore::llm
