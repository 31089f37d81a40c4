// The CPU executor end to end: against recorded ids, and against itself cut differently.
#include <algorithm>
#include <string>

#include "llm/executor.hpp"
#include "llm/logprob/logprob.hpp"
#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"

namespace xcore::llm {
namespace {

std::shared_ptr<const Model> open_model(const std::string& path) { return load_model(gguf::File::open(path)); }

// llama.cpp and llama2.c agree on these: "Zoo" and its greedy continuation.
const std::vector<int32_t> kZoo = {1, 410, 469, 347};
const std::vector<int32_t> kStory = {286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396, 267, 337, 410, 408};

std::vector<int32_t> greedy(Executor& executor, const std::vector<int32_t>& prompt, int count) {
  const auto sequence = executor.create_sequence(64);
  std::vector<int32_t> out;
  auto choice = executor.forward_greedy(*sequence, prompt.data(), static_cast<int32_t>(prompt.size()), {});
  out.push_back(choice.id);
  while (static_cast<int>(out.size()) < count) {
    choice = executor.forward_greedy(*sequence, &choice.id, 1, {});
    out.push_back(choice.id);
  }
  return out;
}

class Stories : public ::testing::TestWithParam<const char*> {};

TEST_P(Stories, continues_the_prompt_as_recorded) {
  XC_REFERENCE_OR_SKIP(path, std::string("reference/llm/stories260K-") + GetParam() + ".gguf");
  EXPECT_EQ(greedy(*make_cpu_executor(open_model(path)), kZoo, 16), kStory);
}
INSTANTIATE_TEST_SUITE_P(Types, Stories, ::testing::Values("F32", "F16", "Q8_0"), [](const auto& i) { return std::string(i.param); });

// Logits of all positions of one call.
std::vector<float> all_logits(Executor& executor, int32_t vocabulary, const std::vector<int32_t>& ids) {
  const auto sequence = executor.create_sequence(static_cast<int32_t>(ids.size()));
  std::vector<float> logits(ids.size() * static_cast<size_t>(vocabulary));
  executor.forward(*sequence, ids.data(), static_cast<int32_t>(ids.size()), Logits::all, logits.data(), {});
  return logits;
}

TEST(CpuExecutor, gives_the_same_logits_token_by_token_as_all_at_once) {
  XC_REFERENCE_OR_SKIP(path, "reference/llm/stories260K-F32.gguf");
  const auto model = open_model(path);
  const auto executor = make_cpu_executor(model);
  std::vector<int32_t> ids;
  for (int i = 0; i < 300; ++i) ids.push_back((i * 37 + 11) % model->vocabulary);  // three blocks of the executor
  const std::vector<float> together = all_logits(*executor, model->vocabulary, ids);
  const auto sequence = executor->create_sequence(300);
  std::vector<float> one(static_cast<size_t>(model->vocabulary));
  for (size_t t = 0; t < ids.size(); ++t) {
    executor->forward(*sequence, &ids[t], 1, Logits::last, one.data(), {});
    // The kernels for one and for many tokens add in different orders, which now and then rounds a cached key the
    // other way in binary16.
    for (size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], together[t * one.size() + i], 2e-2) << "token " << t << " logit " << i;
  }
}

TEST(CpuExecutor, gives_the_same_bits_on_any_number_of_threads) {
  for (const char* name : {"reference/llm/stories260K-F16.gguf", "reference/llm/stories260K-Q8_0.gguf", "pool/pool-nano-q8_0.gguf"}) {
    XC_REFERENCE_OR_SKIP(path, name);
    const auto model = open_model(path);
    const auto executor = make_cpu_executor(model);
    std::vector<int32_t> ids;
    for (int i = 0; i < 150; ++i) ids.push_back((i * 31 + 5) % model->vocabulary);
    const int before = thread_pool().threads();
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 5}) {
      thread_pool().set_threads(threads);
      results.push_back(all_logits(*executor, model->vocabulary, ids));
    }
    thread_pool().set_threads(before);
    EXPECT_EQ(results[0], results[1]) << name;
    EXPECT_EQ(results[0], results[2]) << name;
  }
}

TEST(CpuExecutor, forgets_what_was_truncated) {
  XC_REFERENCE_OR_SKIP(path, "reference/llm/stories260K-Q8_0.gguf");
  const auto executor = make_cpu_executor(open_model(path));
  const auto sequence = executor->create_sequence(32);
  const std::vector<int32_t> detour = {1, 410, 5, 6, 7, 8};
  executor->forward_greedy(*sequence, detour.data(), 6, {});
  sequence->truncate(2);
  EXPECT_EQ(sequence->length(), 2);
  EXPECT_EQ(executor->forward_greedy(*sequence, kZoo.data() + 2, 2, {}).id, kStory[0]);
  EXPECT_EQ(sequence->length(), 4);
  EXPECT_THROW(sequence->truncate(5), Error);
  EXPECT_THROW(sequence->truncate(-1), Error);
}

TEST(CpuExecutor, greedy_choice_agrees_with_the_logits) {
  XC_REFERENCE_OR_SKIP(path, "reference/llm/stories260K-F32.gguf");
  const auto model = open_model(path);
  const auto executor = make_cpu_executor(model);
  const std::vector<float> logits = all_logits(*executor, model->vocabulary, kZoo);
  const BestToken expected = best_token_ref(logits.data() + 3 * model->vocabulary, model->vocabulary);
  const auto sequence = executor->create_sequence(8);
  const auto choice = executor->forward_greedy(*sequence, kZoo.data(), 4, {});
  EXPECT_EQ(choice.id, expected.id);
  EXPECT_NEAR(choice.logprob, expected.logprob, 1e-5);
}

TEST(CpuExecutor, a_cancelled_or_refused_call_leaves_the_sequence_as_it_was) {
  XC_REFERENCE_OR_SKIP(path, "reference/llm/stories260K-F32.gguf");
  const auto model = open_model(path);
  const auto executor = make_cpu_executor(model);
  const auto sequence = executor->create_sequence(16);
  executor->forward_greedy(*sequence, kZoo.data(), 3, {});
  const int32_t cancel = 1;
  const xc_control raw{&cancel, nullptr, nullptr};
  try {
    executor->forward_greedy(*sequence, kZoo.data() + 3, 1, Control(&raw));
    FAIL() << "a cancelled call must throw";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_CANCELLED);
  }
  EXPECT_EQ(sequence->length(), 3);
  std::vector<float> logits(static_cast<size_t>(model->vocabulary));
  const std::vector<int32_t> many(14, 1);
  try {
    executor->forward(*sequence, many.data(), 14, Logits::last, logits.data(), {});
    FAIL() << "a call beyond the capacity must throw";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_LIMIT_EXCEEDED);
  }
  EXPECT_EQ(sequence->length(), 3);
  EXPECT_EQ(executor->forward_greedy(*sequence, kZoo.data() + 3, 1, {}).id, kStory[0]);
}

TEST(CpuExecutor, refuses_a_capacity_outside_the_models_context) {
  XC_REFERENCE_OR_SKIP(path, "reference/llm/stories260K-F32.gguf");
  const auto model = open_model(path);
  const auto executor = make_cpu_executor(model);
  EXPECT_THROW(executor->create_sequence(0), Error);
  EXPECT_THROW(executor->create_sequence(model->context_length + 1), Error);
}

}  // namespace
}  // namespace xcore::llm
