// The session's rules on an executor whose model is a hash of the sequence: every difference in what the sequence holds
// changes the tokens that follow.
#include "llm/session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "runtime/philox.hpp"

namespace xcore::llm {
namespace {

constexpr int32_t kVocabulary = 50;
constexpr int32_t kContext = 64;

struct Switches {
  std::atomic<int64_t> computed{0};   // tokens that went through forward
  std::atomic<int64_t> fail_after{-1};  // fail when this many tokens were computed
  xc_status fail_status = XC_DEVICE_FAILED;
  std::atomic<bool> nan{false};
};

class FakeSequence : public Sequence {
 public:
  explicit FakeSequence(int32_t capacity) : capacity_(capacity) {}
  int32_t length() const override { return static_cast<int32_t>(ids.size()); }
  int32_t capacity() const override { return capacity_; }
  void truncate(int32_t length) override { ids.resize(static_cast<size_t>(length)); }
  std::vector<int32_t> ids;

 private:
  int32_t capacity_;
};

class FakeExecutor : public Executor {
 public:
  FakeExecutor(xc_device device, Switches& switches) : device_(device), switches_(switches) {}
  xc_device device() const override { return device_; }
  uint64_t weight_bytes() const override { return 1; }
  std::unique_ptr<Sequence> create_sequence(int32_t capacity) override { return std::make_unique<FakeSequence>(capacity); }
  void forward(Sequence& sequence, const int32_t* ids, int32_t count, Logits which, float* logits,
               const Control& control) override {
    auto& s = static_cast<FakeSequence&>(sequence);
    control.throw_if_cancelled();
    ASSERT_LE(s.length() + count, s.capacity());
    if (device_.kind == XC_DEVICE_CUDA && switches_.fail_after >= 0 && switches_.computed + count > switches_.fail_after)
      throw Error(switches_.fail_status, "the fake device failed");
    switches_.computed += count;
    for (int32_t i = 0; i < count; ++i) {
      s.ids.push_back(ids[i]);
      if (which == Logits::all) fill(s, logits + static_cast<int64_t>(i) * kVocabulary);
    }
    if (which == Logits::last) fill(s, logits);
  }
  Choice forward_greedy(Sequence& sequence, const int32_t* ids, int32_t count, const Control& control) override {
    std::vector<float> logits(kVocabulary);
    forward(sequence, ids, count, Logits::last, logits.data(), control);
    if (switches_.nan) return {0, std::numeric_limits<float>::quiet_NaN()};
    const Sampled s = sample_ref(logits.data(), kVocabulary, {}, 0);
    return {s.id, s.logprob};
  }

 private:
  void fill(const FakeSequence& s, float* logits) const {
    uint64_t h = 1469598103934665603ull;
    for (const int32_t id : s.ids) h = (h ^ static_cast<uint64_t>(id)) * 1099511628211ull;
    Philox random(h);
    for (int32_t i = 0; i < kVocabulary; ++i) logits[i] = 4 * random.next_float();
    if (switches_.nan) logits[7] = std::numeric_limits<float>::quiet_NaN();
  }
  xc_device device_;
  Switches& switches_;
};

class SessionTest : public ::testing::Test {
 protected:
  std::shared_ptr<Engine> engine(xc_device requested = kCpu) {
    auto model = std::make_shared<Model>();
    model->vocabulary = kVocabulary;
    model->context_length = kContext;
    // Where this machine has no GPU the device rule never asks for one: the engine is given what it would have made.
    const xc_device first = requested.kind == XC_DEVICE_AUTO ? cuda_device(0) : requested;
    return std::make_shared<Engine>(model, requested, 0, std::make_shared<FakeExecutor>(first, switches),
                                    [this](auto) { return std::make_unique<FakeExecutor>(kCpu, switches); });
  }
  struct Reply {
    std::vector<int32_t> ids;
    std::vector<float> logprobs;
    xc_llm_generate_result result;
  };
  static Reply ask(Session& session, std::vector<int32_t> prompt, GenerateOptions options, const Control& control = {}) {
    Reply reply{};
    session.generate(prompt.data(), static_cast<int32_t>(prompt.size()), options,
                     [&](const xc_llm_token& t) {
                       reply.ids.push_back(t.id);
                       reply.logprobs.push_back(t.logprob);
                       return false;
                     },
                     control, &reply.result);
    return reply;
  }
  static GenerateOptions tokens(int32_t count, Sampling sampling = {}, uint64_t seed = 0) {
    GenerateOptions o;
    o.max_tokens = count;
    o.sampling = sampling;
    o.seed = seed;
    return o;
  }
  template <class F>
  static void expect_error(xc_status status, const std::string& field, F&& call) {
    try {
      call();
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.status, status) << e.what();
      EXPECT_EQ(e.field, field) << e.what();
    }
  }
  Switches switches;
};

TEST_F(SessionTest, greedy_reply_is_the_chain_of_largest_logits) {
  auto e = engine();
  Session session(e, 0);
  const Reply reply = ask(session, {1, 2, 3}, tokens(10));
  std::vector<int32_t> ids = {1, 2, 3};
  for (int i = 0; i < 10; ++i) {
    std::vector<float> logits(ids.size() * kVocabulary);
    e->logits(ids.data(), static_cast<int32_t>(ids.size()), logits.data(), {});
    const Sampled s = sample_ref(logits.data() + (ids.size() - 1) * kVocabulary, kVocabulary, {}, 0);
    EXPECT_EQ(reply.ids[static_cast<size_t>(i)], s.id);
    EXPECT_FLOAT_EQ(reply.logprobs[static_cast<size_t>(i)], s.logprob);
    ids.push_back(s.id);
  }
  EXPECT_EQ(reply.result.finish, XC_LLM_FINISH_LENGTH);
  EXPECT_EQ(reply.result.generated_tokens, 10);
  EXPECT_EQ(session.length(), 12) << "the last token was never fed back";
}

TEST_F(SessionTest, a_shared_prefix_is_reused_and_changes_nothing) {
  auto e = engine();
  Session session(e, 0), fresh(e, 0);
  const Reply first = ask(session, {1, 2, 3, 4, 5}, tokens(5));
  std::vector<int32_t> next = {1, 2, 3, 4, 5};
  next.insert(next.end(), first.ids.begin(), first.ids.begin() + 4);
  next.push_back(9);
  const int64_t before = switches.computed;
  const Reply reused = ask(session, next, tokens(5, {0.8, 0, 1}, 42));
  EXPECT_EQ(reused.result.cached_tokens, 9);
  EXPECT_EQ(switches.computed - before, 1 + 4);
  EXPECT_EQ(reused.ids, ask(fresh, next, tokens(5, {0.8, 0, 1}, 42)).ids);
  // The same prompt again: all but its last token.
  EXPECT_EQ(ask(session, next, tokens(1)).result.cached_tokens, 9);
  // Another conversation: nothing.
  EXPECT_EQ(ask(session, {8, 8}, tokens(1)).result.cached_tokens, 0);
}

TEST_F(SessionTest, seeds_decide_the_tokens_and_nothing_else_does) {
  auto e = engine();
  Session a(e, 0), b(e, 0);
  const Sampling hot{1.3, 0, 1};
  const auto ids = ask(a, {5, 6}, tokens(30, hot, 7)).ids;
  EXPECT_EQ(ask(b, {5, 6}, tokens(30, hot, 7)).ids, ids);
  EXPECT_EQ(ask(a, {5, 6}, tokens(30, hot, 7)).ids, ids) << "also on a session that was used";
  EXPECT_NE(ask(a, {5, 6}, tokens(30, hot, 8)).ids, ids);
  const auto shorter = ask(a, {5, 6}, tokens(10, hot, 7)).ids;
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), ids.begin())) << "a draw depends on its index alone";
}

TEST_F(SessionTest, an_end_id_ends_the_reply_unseen) {
  Session session(engine(), 0);
  const auto ids = ask(session, {1}, tokens(8)).ids;
  GenerateOptions o = tokens(8);
  o.end_ids = {ids[3]};
  const Reply reply = ask(session, {1}, o);
  const auto expected = std::find(ids.begin(), ids.end(), ids[3]) - ids.begin();
  EXPECT_EQ(reply.ids, std::vector<int32_t>(ids.begin(), ids.begin() + expected));
  EXPECT_EQ(reply.result.finish, XC_LLM_FINISH_END);
}

TEST_F(SessionTest, the_context_is_a_limit_and_not_an_overflow) {
  Session session(engine(), 16);
  const std::vector<int32_t> full(16, 1), nearly(15, 1);
  expect_error(XC_LIMIT_EXCEEDED, "prompt", [&] { ask(session, full, tokens(4)); });
  EXPECT_EQ(ask(session, nearly, tokens(4)).ids.size(), 1u);
  const Reply reply = ask(session, {1, 2, 3}, tokens(1000));
  EXPECT_EQ(reply.ids.size(), 13u);
  EXPECT_EQ(reply.result.finish, XC_LLM_FINISH_LENGTH);
}

TEST_F(SessionTest, wrong_arguments_are_named) {
  auto e = engine();
  Session session(e, 0);
  expect_error(XC_INVALID_ARGUMENT, "prompt", [&] { ask(session, {}, tokens(1)); });
  expect_error(XC_INVALID_ARGUMENT, "prompt", [&] { ask(session, {1, kVocabulary}, tokens(1)); });
  expect_error(XC_INVALID_ARGUMENT, "prompt", [&] { ask(session, {-1}, tokens(1)); });
  expect_error(XC_INVALID_ARGUMENT, "maxTokens", [&] { ask(session, {1}, tokens(0)); });
  expect_error(XC_INVALID_ARGUMENT, "temperature", [&] { ask(session, {1}, tokens(1, {std::nan(""), 0, 1})); });
  expect_error(XC_INVALID_ARGUMENT, "contextSize", [&] { Session(e, kContext + 1); });
  expect_error(XC_INVALID_ARGUMENT, "contextSize", [&] { Session(e, -1); });
  expect_error(XC_INVALID_ARGUMENT, "length", [&] { session.truncate(-1); });
  EXPECT_EQ(ask(session, {1}, tokens(3)).ids.size(), 3u) << "the session is usable after errors";
}

TEST_F(SessionTest, cancelling_leaves_a_usable_session_and_tells_how_far_it_came) {
  Session session(engine(), 0);
  const auto ids = ask(session, {1, 2}, tokens(20)).ids;
  int32_t cancel = 0;
  const xc_control raw{&cancel, nullptr, nullptr};
  xc_llm_generate_result result;
  const std::vector<int32_t> prompt = {1, 2};
  int seen = 0;
  expect_error(XC_CANCELLED, "", [&] {
    session.generate(prompt.data(), 2, tokens(20),
                     [&](const xc_llm_token&) {
                       if (++seen == 5) __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
                       return false;
                     },
                     Control(&raw), &result);
  });
  EXPECT_EQ(result.finish, XC_LLM_FINISH_CANCELLED);
  EXPECT_EQ(result.generated_tokens, 5);
  EXPECT_EQ(ask(session, {1, 2}, tokens(20)).ids, ids);
}

TEST_F(SessionTest, the_sink_can_end_the_reply) {
  Session session(engine(), 0);
  xc_llm_generate_result result;
  const int32_t prompt = 1;
  session.generate(&prompt, 1, tokens(20), [](const xc_llm_token&) { return true; }, {}, &result);
  EXPECT_EQ(result.finish, XC_LLM_FINISH_STOPPED);
  EXPECT_EQ(result.generated_tokens, 1);
}

TEST_F(SessionTest, truncating_forgets_from_the_end) {
  Session session(engine(), 0);
  const auto ids = ask(session, {1, 2, 3, 4}, tokens(5)).ids;
  session.truncate(100);
  EXPECT_EQ(session.length(), 8);
  session.truncate(2);
  EXPECT_EQ(session.length(), 2);
  const Reply reply = ask(session, {1, 2, 3, 4}, tokens(5));
  EXPECT_EQ(reply.result.cached_tokens, 2);
  EXPECT_EQ(reply.ids, ids);
}

TEST_F(SessionTest, one_call_at_a_time) {
  Session session(engine(), 0);
  xc_llm_generate_result result;
  const int32_t prompt = 1;
  session.generate(&prompt, 1, tokens(2),
                   [&](const xc_llm_token&) {
                     expect_error(XC_INVALID_ARGUMENT, "session", [&] { ask(session, {1}, tokens(1)); });
                     expect_error(XC_INVALID_ARGUMENT, "session", [&] { session.truncate(0); });
                     return false;
                   },
                   {}, &result);
  EXPECT_EQ(result.generated_tokens, 2);
}

TEST_F(SessionTest, sessions_of_one_model_run_at_the_same_time) {
  auto e = engine();
  std::vector<std::vector<int32_t>> replies(4), alone(4);
  std::vector<std::thread> threads;
  for (int32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Session session(e, 0);
      for (int i = 0; i < 50; ++i) replies[static_cast<size_t>(t)] = ask(session, {t + 1, 2}, tokens(20, {1, 10, 0.9}, 5)).ids;
    });
  }
  for (auto& thread : threads) thread.join();
  for (int32_t t = 0; t < 4; ++t) {
    Session session(e, 0);
    EXPECT_EQ(ask(session, {t + 1, 2}, tokens(20, {1, 10, 0.9}, 5)).ids, replies[static_cast<size_t>(t)]);
  }
}

TEST_F(SessionTest, damaged_weights_are_a_typed_error) {
  Session session(engine(), 0);
  switches.nan = true;
  expect_error(XC_INVALID_FORMAT, "logits", [&] { ask(session, {1}, tokens(3)); });
  expect_error(XC_INVALID_FORMAT, "logits", [&] { ask(session, {1}, tokens(3, {1, 0, 1})); });
}

TEST_F(SessionTest, damage_that_shows_after_the_first_token_of_a_greedy_reply_is_a_typed_error) {
  Session session(engine(), 0);
  xc_llm_generate_result result;
  const int32_t prompt = 1;
  int emitted = 0;
  expect_error(XC_INVALID_FORMAT, "logits", [&] {
    session.generate(&prompt, 1, tokens(3), [&](const xc_llm_token&) { ++emitted; switches.nan = true; return false; }, Control(), &result);
  });
  EXPECT_EQ(emitted, 1);
}

TEST_F(SessionTest, an_auto_device_that_fails_mid_reply_is_finished_on_the_cpu) {
  Session reference(engine(), 0);
  const Sampling hot{0.9, 20, 1};
  const auto ids = ask(reference, {3, 1, 4}, tokens(20, hot, 2)).ids;
  for (const xc_status status : {XC_DEVICE_FAILED, XC_OUT_OF_MEMORY}) {
    trace::forget_fallbacks();
    std::vector<std::string> told;
    trace::set_listener(XC_EVENT_FALLBACK,
                        [](void* user, const xc_event* event) { static_cast<std::vector<std::string>*>(user)->push_back(event->op); }, &told);
    switches.fail_status = status;
    auto e = engine(kAuto);
    Session session(e, 0), other(e, 0);
    EXPECT_EQ(session.device().kind, XC_DEVICE_CUDA);
    ask(other, {9}, tokens(3));
    switches.computed = 0;
    switches.fail_after = 10;
    EXPECT_EQ(ask(session, {3, 1, 4}, tokens(20, hot, 2)).ids, ids);
    EXPECT_EQ(session.device().kind, XC_DEVICE_CPU);
    EXPECT_EQ(session.length(), 22);
    EXPECT_EQ(ask(other, {3, 1, 4}, tokens(20, hot, 2)).ids, ids) << "a session that was opened before";
    EXPECT_EQ(told, std::vector<std::string>{"llm.forward"}) << "announced once";
    EXPECT_EQ(e->executor()->device().kind, status == XC_DEVICE_FAILED ? XC_DEVICE_CPU : XC_DEVICE_CUDA);
    trace::set_listener(XC_EVENT_FALLBACK, nullptr, nullptr);
    switches.fail_after = -1;
  }
}

TEST_F(SessionTest, errors_that_are_not_the_devices_do_not_fall_back) {
  auto e = engine(kAuto);
  Session session(e, 0);
  switches.fail_status = XC_UNSUPPORTED;
  switches.fail_after = 0;
  expect_error(XC_UNSUPPORTED, "", [&] { ask(session, {1}, tokens(3)); });
  EXPECT_EQ(session.device().kind, XC_DEVICE_CUDA);
}

TEST_F(SessionTest, logits_longer_than_the_context_are_refused) {
  auto e = engine();
  const std::vector<int32_t> ids(kContext + 1, 1);
  std::vector<float> out(ids.size() * kVocabulary);
  expect_error(XC_LIMIT_EXCEEDED, "ids", [&] { e->logits(ids.data(), kContext + 1, out.data(), {}); });
}

}  // namespace
}  // namespace xcore::llm
