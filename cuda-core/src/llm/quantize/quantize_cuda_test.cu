#include "llm/quantize/quantize_cuda.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

class QuantizeCuda : public testing::CudaOp {};

TEST_F(QuantizeCuda, gives_the_bits_of_the_reference) {
  for (const int32_t columns : {32, 64, 352, 4096})
    for (const int64_t rows : {1, 3, 70}) {
      std::vector<float> x = testing::random_floats(static_cast<size_t>(rows * columns), 7 + static_cast<uint64_t>(columns));
      // Edges: a zero block, a block of subnormals, one of huge values, exact ties of the rounding.
      for (int i = 0; i < 32; ++i) x[static_cast<size_t>(i)] = 0;
      if (x.size() >= 128)
        for (int i = 0; i < 32; ++i) {
          x[static_cast<size_t>(32 + i)] = 1e-40f * static_cast<float>(i);
          x[static_cast<size_t>(64 + i)] = 3e37f * static_cast<float>(i % 7 - 3);
          x[static_cast<size_t>(96 + i)] = i == 0 ? 127.0f : static_cast<float>(i) - 15.5f;
        }
      std::vector<int8_t> q(x.size());
      std::vector<float> scale(x.size() / 32);
      quantize_rows_ref(x.data(), rows, columns, {q.data(), scale.data()});
      const auto in = upload(x);
      auto out_q = poisoned<int8_t>(q.size());
      auto out_scale = poisoned<float>(scale.size());
      quantize_rows_cuda(in.data(), rows, columns, {out_q.data(), out_scale.data()}, stream());
      EXPECT_EQ(download(out_q), q) << rows << " x " << columns;
      EXPECT_EQ(download(out_scale), scale) << rows << " x " << columns;
    }
}

}  // namespace
}  // namespace xcore::llm
