#include "llm/session.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "runtime/philox.hpp"

namespace xcore::llm {

namespace {

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

class Session::Busy {
 public:
  explicit Busy(std::atomic<bool>& flag) : flag_(flag) {
    if (flag_.exchange(true, std::memory_order_acquire))
      throw invalid_argument("session",
                             "this session is still running another call; wait for it, or create one session for each "
                             "conversation that runs at the same time");
  }
  ~Busy() { flag_.store(false, std::memory_order_release); }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic<bool>& flag_;
};

Session::Session(std::shared_ptr<Engine> engine, int32_t capacity)
    : engine_(std::move(engine)), capacity_(engine_->checked_capacity(capacity)) {
  auto executor = engine_->executor();
  try {
    move_to(executor);
  } catch (const Error& e) {
    auto next = engine_->fall_back(*executor, e);
    if (!next) throw;
    move_to(std::move(next));
  }
}

xc_device Session::device() const {
  const std::lock_guard<std::mutex> lock(executor_mutex_);
  return executor_->device();
}

void Session::move_to(std::shared_ptr<Executor> executor) {
  sequence_.reset();  // the old cache goes before a new one is asked for
  auto sequence = executor->create_sequence(capacity_);
  sequence_ = std::move(sequence);
  const std::lock_guard<std::mutex> lock(executor_mutex_);
  executor_ = std::move(executor);
}

void Session::rebuild(const Control& control) {
  if (sequence_->length() == static_cast<int32_t>(ids_.size())) return;
  sequence_->truncate(0);
  executor_->forward(*sequence_, ids_.data(), static_cast<int32_t>(ids_.size()), Logits::none, nullptr, control);
}

void Session::keep(int32_t length) {
  ids_.resize(static_cast<size_t>(length));
  // Behind ids_ only after a failed move: rebuild() then fills it up again.
  if (sequence_ && sequence_->length() > length) sequence_->truncate(length);
  length_.store(length, std::memory_order_relaxed);
}

// Runs step(executor, sequence), which appends `ids`; on the CPU from the start if the device fails.
template <class Step>
auto Session::advance(const int32_t* ids, int32_t count, const Control& control, Step&& step) {
  for (;;) {
    try {
      if (!sequence_) move_to(executor_);
      rebuild(control);
      const auto out = step(*executor_, *sequence_);
      ids_.insert(ids_.end(), ids, ids + count);
      length_.store(static_cast<int32_t>(ids_.size()), std::memory_order_relaxed);
      return out;
    } catch (const Error& e) {
      auto next = engine_->fall_back(*executor_, e);
      if (!next) throw;
      move_to(std::move(next));
    }
  }
}

// Appends `ids` and chooses token `index` of the reply.
Sampled Session::choose(const int32_t* ids, int32_t count, const GenerateOptions& options, int32_t index,
                        const Control& control) {
  // The first logits of a reply are always looked at one by one, so that damaged weights get the sampler's exact message;
  // later a greedy step sees only the largest one and whether all are numbers.
  if (options.sampling.temperature == 0 && index > 0) {
    const auto choice = advance(ids, count, control, [&](Executor& executor, Sequence& sequence) {
      return executor.forward_greedy(sequence, ids, count, control);
    });
    if (!std::isfinite(choice.logprob) || choice.id < 0 || choice.id >= engine_->model().vocabulary)
      throw Error(XC_INVALID_FORMAT, "the model's logits are not finite numbers; its weights are damaged", "logits");
    return {choice.id, choice.logprob};
  }
  logits_.resize(static_cast<size_t>(engine_->model().vocabulary));
  advance(ids, count, control, [&](Executor& executor, Sequence& sequence) {
    executor.forward(sequence, ids, count, Logits::last, logits_.data(), control);
    return 0;
  });
  Philox random(options.seed, 0, 4 * static_cast<uint64_t>(index));
  return sampler_.sample(logits_.data(), engine_->model().vocabulary, options.sampling, random.next_double());
}

void Session::generate(const int32_t* prompt, int32_t count, const GenerateOptions& options, const TokenSink& sink,
                       const Control& control, xc_llm_generate_result* result) {
  *result = {};
  const Busy busy(busy_);
  engine_->check_ids(prompt, count, "prompt");
  check_sampling(options.sampling);
  if (options.max_tokens < 1)
    throw invalid_argument("maxTokens", "maxTokens is %d; it must be 1 or more", options.max_tokens);
  if (count >= capacity_)
    throw error(XC_LIMIT_EXCEEDED, "prompt", -1,
                "the prompt has %d tokens, but this session's context holds %d and one must be left for the reply",
                count, capacity_);

  // At least one token of the prompt has to be computed: its logits are not kept.
  const auto shared = std::mismatch(prompt, prompt + std::min<size_t>(static_cast<size_t>(count) - 1, ids_.size()), ids_.begin());
  const auto cached = static_cast<int32_t>(shared.first - prompt);
  keep(cached);
  result->prompt_tokens = count;
  result->cached_tokens = cached;

  auto start = std::chrono::steady_clock::now();
  double* clock = &result->prefill_ms;
  try {
    Sampled next = choose(prompt + cached, count - cached, options, 0, control);
    *clock = milliseconds_since(start);
    start = std::chrono::steady_clock::now();
    clock = &result->decode_ms;
    const int32_t limit = std::min(options.max_tokens, capacity_ - count);
    for (;;) {
      if (std::find(options.end_ids.begin(), options.end_ids.end(), next.id) != options.end_ids.end()) {
        result->finish = XC_LLM_FINISH_END;
        break;
      }
      ++result->generated_tokens;
      const bool stop = sink({next.id, next.logprob});
      if (stop || result->generated_tokens == limit) {
        result->finish = stop ? XC_LLM_FINISH_STOPPED : XC_LLM_FINISH_LENGTH;
        break;
      }
      control.throw_if_cancelled();
      const int32_t id = next.id;
      next = choose(&id, 1, options, result->generated_tokens, control);
    }
    *clock = milliseconds_since(start);
  } catch (const Error& e) {
    *clock = milliseconds_since(start);
    if (e.status == XC_CANCELLED) result->finish = XC_LLM_FINISH_CANCELLED;
    throw;
  }
}

void Session::truncate(int32_t length) {
  if (length < 0) throw invalid_argument("length", "length is %d; it must be 0 or more", length);
  const Busy busy(busy_);
  if (length < static_cast<int32_t>(ids_.size())) keep(length);
}

}  // namespace xcore::llm
