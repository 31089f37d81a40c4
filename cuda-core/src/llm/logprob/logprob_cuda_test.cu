#include <limits>

#include "llm/logprob/logprob_cuda.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

class LogprobCuda : public testing::CudaOp {
 protected:
  BestToken best(const std::vector<float>& logits) {
    const auto in = upload(logits);
    auto out = poisoned<BestToken>(1);
    best_token_cuda(in.data(), static_cast<int32_t>(logits.size()), {partials().data(), finished().data()}, out.data(),
                    nullptr, stream());
    return download(out)[0];
  }
  cuda::Buffer<float>& partials() {
    if (partials_.size() == 0) partials_ = poisoned<float>(3 * kLogprobBlocks);
    return partials_;
  }
  cuda::Buffer<uint32_t>& finished() {
    if (finished_.size() == 0) finished_ = zeros<uint32_t>(1);
    return finished_;
  }
  void TearDown() override {
    partials_.reset();
    finished_.reset();
  }

 private:
  cuda::Buffer<float> partials_;
  cuda::Buffer<uint32_t> finished_;
};

TEST_F(LogprobCuda, finds_the_largest_logit_and_its_probability) {
  for (const size_t count : {1, 2, 31, 257, 512, 32000, 128256}) {
    const auto logits = testing::random_floats(count, 41 + count, 5.0);
    const BestToken expected = best_token_ref(logits.data(), static_cast<int32_t>(count));
    const BestToken actual = best(logits);
    EXPECT_EQ(actual.id, expected.id) << count;
    EXPECT_NEAR(actual.logprob, expected.logprob, 1e-5) << count;
  }
}

TEST_F(LogprobCuda, takes_the_lowest_id_among_equals_wherever_they_are) {
  std::vector<float> logits(50000, 1.0f);
  EXPECT_EQ(best(logits).id, 0);
  for (const size_t first : {1u, 300u, 17000u, 49990u}) {
    std::vector<float> some(50000, 1.0f);
    for (size_t i = first; i < some.size(); i += 7) some[i] = 2.0f;
    EXPECT_EQ(best(some).id, static_cast<int32_t>(first));
  }
}

TEST_F(LogprobCuda, treats_infinities_and_nan_as_the_reference_does) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& logits : std::vector<std::vector<float>>{
           {-inf, -inf, -inf}, {nan, 1.0f, nan, 0.5f}, {nan, nan}, {1.0f, inf, 2.0f, inf}, {-inf, 3.0f, -inf}}) {
    const BestToken expected = best_token_ref(logits.data(), static_cast<int32_t>(logits.size()));
    const BestToken actual = best(logits);
    EXPECT_EQ(actual.id, expected.id);
    EXPECT_EQ(std::isnan(actual.logprob), std::isnan(expected.logprob));
    if (!std::isnan(expected.logprob)) EXPECT_NEAR(actual.logprob, expected.logprob, 1e-6);
  }
}

TEST_F(LogprobCuda, leaves_the_state_of_the_next_step) {
  std::vector<float> logits(1000, 0.0f);
  logits[777] = 3.0f;
  const auto in = upload(logits);
  auto out = poisoned<BestToken>(1);
  auto next = upload(std::vector<StepState>{{41, 5}});
  best_token_cuda(in.data(), 1000, {partials().data(), finished().data()}, out.data(), next.data(), stream());
  const StepState state = download(next)[0];
  EXPECT_EQ(state.position, 42);
  EXPECT_EQ(state.id, 777);
}

}  // namespace
}  // namespace xcore::llm
