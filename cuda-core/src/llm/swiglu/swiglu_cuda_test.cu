#include "llm/swiglu/swiglu_cuda.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

class SwigluCuda : public testing::CudaOp {};

TEST_F(SwigluCuda, matches_the_reference_and_quantises_what_it_writes) {
  for (const size_t count : {1, 32, 172, 5 * 172, 4096, 11008}) {
    auto gate = testing::random_floats(count, 21, 4.0);
    gate[0] = -200.0f;  // exp overflows; the result is -0
    const auto up = testing::random_floats(count, 22);
    std::vector<float> expected(count);
    swiglu_ref(gate.data(), up.data(), static_cast<int64_t>(count), expected.data());
    const auto g = upload(gate);
    const auto u = upload(up);
    auto out = poisoned<float>(count);
    const bool quantize = count % 32 == 0;
    auto q = poisoned<int8_t>(count);
    auto scale = poisoned<float>(count / 32 + 1);
    swiglu_cuda(g.data(), u.data(), static_cast<int64_t>(count), out.data(),
                quantize ? QuantizedRows{q.data(), scale.data()} : QuantizedRows{}, stream());
    const auto actual = download(out);
    testing::expect_near(actual, expected, 1e-5);
    if (!quantize) continue;
    std::vector<int8_t> expected_q(count);
    std::vector<float> expected_scale(count / 32);
    quantize_rows_ref(actual.data(), 1, static_cast<int32_t>(count), {expected_q.data(), expected_scale.data()});
    EXPECT_EQ(download(q), expected_q);
  }
}

}  // namespace
}  // namespace xcore::llm
