#include "llm/rms_norm/rms_norm_cuda.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

class RmsNormCuda : public testing::CudaOp {};

TEST_F(RmsNormCuda, matches_the_reference_and_quantises_what_it_writes) {
  for (const int32_t width : {1, 31, 32, 64, 172, 1000, 4096, 8192, 8224})
    for (const int32_t rows : {1, 5}) {
      const auto x = testing::random_floats(static_cast<size_t>(rows) * width, 11, 3.0);
      const auto weight = testing::random_floats(static_cast<size_t>(width), 12);
      std::vector<float> expected(x.size());
      rms_norm_ref(x.data(), weight.data(), rows, width, 1e-5f, expected.data());
      const auto in = upload(x);
      const auto w = upload(weight);
      auto out = poisoned<float>(x.size());
      const bool quantize = width % 32 == 0;
      auto q = poisoned<int8_t>(x.size());
      auto scale = poisoned<float>(x.size() / 32 + 1);
      rms_norm_cuda(in.data(), w.data(), rows, width, 1e-5f, out.data(),
                    quantize ? QuantizedRows{q.data(), scale.data()} : QuantizedRows{}, stream());
      const auto actual = download(out);
      testing::expect_near(actual, expected, 1e-5);
      if (!quantize) continue;
      std::vector<int8_t> expected_q(x.size());
      std::vector<float> expected_scale(x.size() / 32);
      quantize_rows_ref(actual.data(), rows, width, {expected_q.data(), expected_scale.data()});
      EXPECT_EQ(download(q), expected_q) << "width " << width;
      auto actual_scale = download(scale);
      actual_scale.pop_back();
      EXPECT_EQ(actual_scale, expected_scale) << "width " << width;
    }
}

TEST_F(RmsNormCuda, may_work_in_place) {
  const auto x = testing::random_floats(3 * 172, 13);
  const std::vector<float> weight(172, 1.0f);
  std::vector<float> expected(x.size());
  rms_norm_ref(x.data(), weight.data(), 3, 172, 1e-6f, expected.data());
  auto values = upload(x);
  const auto w = upload(weight);
  rms_norm_cuda(values.data(), w.data(), 3, 172, 1e-6f, values.data(), {}, stream());
  testing::expect_near(download(values), expected, 1e-5);
}

}  // namespace
}  // namespace xcore::llm
