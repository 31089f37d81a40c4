// A conversation: one sequence, the tokens it holds, and the loop that continues it.
//
// The session remembers which tokens its cache holds. A new prompt keeps the longest prefix it shares with them, so
// that the next turn of a conversation, or the next question behind a fixed preamble, pays only for what is new. If an
// `auto` device fails, the sequence is rebuilt from these tokens on the CPU and the loop goes on where it was.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "llm/engine.hpp"
#include "llm/sampler/sampler.hpp"
#include "xcore/llm.h"

namespace xcore::llm {

struct GenerateOptions {
  int32_t max_tokens = 256;
  Sampling sampling;
  uint64_t seed = 0;
  std::vector<int32_t> end_ids;
};

// Takes one token; true ends the generation after it.
using TokenSink = std::function<bool(const xc_llm_token&)>;

class Session {
 public:
  Session(std::shared_ptr<Engine> engine, int32_t capacity);

  // Each call throws invalid_argument("session", ...) while another runs.
  void generate(const int32_t* prompt, int32_t count, const GenerateOptions& options, const TokenSink& sink,
                const Control& control, xc_llm_generate_result* result);
  void truncate(int32_t length);

  // Callable at any time.
  int32_t capacity() const { return capacity_; }
  int32_t length() const { return length_.load(std::memory_order_relaxed); }
  xc_device device() const;

 private:
  class Busy;
  template <class Step>
  auto advance(const int32_t* ids, int32_t count, const Control& control, Step&& step);
  void move_to(std::shared_ptr<Executor> executor);
  void rebuild(const Control& control);
  void keep(int32_t length);
  Sampled choose(const int32_t* ids, int32_t count, const GenerateOptions& options, int32_t index,
                 const Control& control);

  std::shared_ptr<Engine> engine_;
  const int32_t capacity_;
  mutable std::mutex executor_mutex_;
  std::shared_ptr<Executor> executor_;
  std::unique_ptr<Sequence> sequence_;
  std::vector<int32_t> ids_;  // what the sequence holds, or is to be rebuilt from
  std::atomic<int32_t> length_{0};
  std::atomic<bool> busy_{false};
  Sampler sampler_;
  std::vector<float> logits_;
};

}  // namespace xcore::llm
