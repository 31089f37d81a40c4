#include "llm/attention/attention_cuda.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

class AttentionCuda : public testing::CudaOp {
 protected:
  // Runs with a plan for `positions`; a decode graph plans for the capacity, far beyond what is filled.
  void compare(const testing::AttentionCase& c, int64_t positions, int32_t processors) {
    const int32_t last = c.first_position + c.tokens, padded = cache_head_dim(c.head_dim);
    const size_t kv_width = static_cast<size_t>(c.kv_heads) * c.head_dim;
    const auto q = testing::random_floats(static_cast<size_t>(c.tokens) * c.heads * c.head_dim, 61, 2.0);
    const auto k = testing::random_halves(static_cast<size_t>(last) * kv_width, 62);
    const auto v = testing::random_halves(static_cast<size_t>(last) * kv_width, 63);
    std::vector<float> expected(q.size());
    attention_ref({c.heads, c.kv_heads, c.head_dim, c.tokens, c.first_position}, q.data(), k.data(), v.data(), expected.data());

    // The cache reaches further than it is filled; behind the last position it holds NaN.
    const size_t stride = static_cast<size_t>(c.kv_heads) * padded, capacity = static_cast<size_t>(last) + 5;
    std::vector<uint16_t> k_padded(capacity * stride, 0xFFFF), v_padded(capacity * stride, 0xFFFF);
    for (size_t p = 0; p < static_cast<size_t>(last); ++p)
      for (size_t h = 0; h < static_cast<size_t>(c.kv_heads); ++h)
        for (size_t d = 0; d < static_cast<size_t>(padded); ++d) {
          const bool real = d < static_cast<size_t>(c.head_dim);
          k_padded[p * stride + h * padded + d] = real ? k[p * kv_width + h * c.head_dim + d] : 0;
          v_padded[p * stride + h * padded + d] = real ? v[p * kv_width + h * c.head_dim + d] : 0;
        }
    const auto device_q = upload(q);
    const auto k_cache = upload(k_padded), v_cache = upload(v_padded);
    const auto position = upload(std::vector<int32_t>{c.first_position});
    const AttentionPlan plan = attention_plan(c.heads, c.kv_heads, c.head_dim, c.tokens, positions, processors);
    auto partials = poisoned<float>(plan.partial_count);
    auto finished = zeros<uint32_t>(static_cast<size_t>(c.kv_heads) * plan.tiles);
    auto out = poisoned<float>(q.size());
    auto quants = poisoned<int8_t>(q.size());
    auto scales = poisoned<float>(q.size() / 32 + 1);
    const bool quantize = c.head_dim % 32 == 0;
    for (int repeat = 0; repeat < 2; ++repeat) {  // the counters must be ready for a second call
      attention_cuda(c.heads, c.kv_heads, c.head_dim, c.tokens, position.data(), plan, device_q.data(),
                     reinterpret_cast<const __half*>(k_cache.data()), reinterpret_cast<const __half*>(v_cache.data()),
                     {partials.data(), finished.data()}, out.data(),
                     quantize ? QuantizedRows{quants.data(), scales.data()} : QuantizedRows{}, stream());
      const auto actual = download(out);
      testing::expect_near(actual, expected, 2e-5);
      if (HasFatalFailure()) {
        ADD_FAILURE() << c.heads << '/' << c.kv_heads << " heads of " << c.head_dim << ", " << c.tokens << " tokens at "
                      << c.first_position << ", " << plan.splits << " splits";
        return;
      }
      if (!quantize) continue;
      std::vector<int8_t> expected_q(q.size());
      std::vector<float> expected_scale(q.size() / 32);
      quantize_rows_ref(actual.data(), c.tokens, c.heads * c.head_dim, {expected_q.data(), expected_scale.data()});
      EXPECT_EQ(download(quants), expected_q);
    }
  }
};

TEST_F(AttentionCuda, matches_the_reference_on_the_common_cases) {
  for (const testing::AttentionCase& c : testing::attention_cases())
    for (const int32_t processors : {1, 132}) compare(c, c.first_position + c.tokens, processors);
}

TEST_F(AttentionCuda, matches_the_reference_over_groups_dimensions_and_contexts) {
  for (const int32_t group : {1, 2, 3, 4, 8})
    for (const int32_t head_dim : {8, 24, 64, 80, 128, 256})
      for (const int32_t position : {0, 1, 63, 64, 599}) compare({2 * group, 2, head_dim, 1, position}, 4096, 132);
}

TEST_F(AttentionCuda, sees_no_later_token_of_the_same_block) {
  for (const int32_t tokens : {2, 3, 7, 8, 33, 70})
    for (const int32_t position : {0, 5, 300}) {
      compare({4, 4, 64, tokens, position}, position + tokens, 132);
      compare({8, 2, 32, tokens, position}, position + tokens, 1000);
    }
}

}  // namespace
}  // namespace xcore::llm
