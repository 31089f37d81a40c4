#include "llm/attention/attention_cuda.hpp"
#include "llm/rope/rope_cuda.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

class RopeCuda : public testing::CudaOp {};

TEST_F(RopeCuda, tabulates_the_angles_of_far_positions) {
  const auto frequencies = rope_frequencies({64, 500000.0, 1.0, nullptr});
  const int32_t count = 130000, pairs = 32;
  const auto device_frequencies = upload(frequencies);
  auto table = poisoned<float>(static_cast<size_t>(count) * pairs * 2);
  rope_table_cuda(device_frequencies.data(), pairs, count, table.data(), stream());
  const auto actual = download(table);
  for (const int32_t position : {0, 1, 77, 4095, 129999})
    for (int32_t i = 0; i < pairs; ++i) {
      const double angle = position * frequencies[static_cast<size_t>(i)];
      const size_t at = (static_cast<size_t>(position) * pairs + static_cast<size_t>(i)) * 2;
      ASSERT_NEAR(actual[at], std::cos(angle), 1e-6) << position << ' ' << i;
      ASSERT_NEAR(actual[at + 1], std::sin(angle), 1e-6) << position << ' ' << i;
    }
}

struct Shape {
  int32_t heads, kv_heads, head_dim, dims, tokens, position;
};

TEST_F(RopeCuda, rotates_queries_and_writes_keys_and_values_to_the_cache) {
  for (const Shape s : {Shape{8, 4, 8, 8, 1, 0}, Shape{8, 4, 8, 8, 37, 3}, Shape{2, 1, 20, 12, 5, 100}, Shape{4, 4, 128, 128, 70, 530},
                        Shape{1, 1, 1, 0, 2, 0}, Shape{3, 3, 7, 4, 4, 9}}) {
    const RopeParameters parameters{s.dims, 10000.0, 1.0, nullptr};
    const int32_t padded = cache_head_dim(s.head_dim), stride = s.kv_heads * padded, last = s.position + s.tokens;
    auto q = testing::random_floats(static_cast<size_t>(s.tokens) * s.heads * s.head_dim, 51);
    auto k = testing::random_floats(static_cast<size_t>(s.tokens) * s.kv_heads * s.head_dim, 52);
    const auto v = testing::random_floats(k.size(), 53);
    const auto frequencies = rope_frequencies(parameters);
    const auto device_frequencies = upload(frequencies.empty() ? std::vector<double>{0} : frequencies);
    auto table = poisoned<float>(static_cast<size_t>(last) * std::max(s.dims, 1));
    rope_table_cuda(device_frequencies.data(), s.dims / 2, last, table.data(), stream());
    auto device_q = upload(q);
    const auto device_k = upload(k), device_v = upload(v);
    const auto position = upload(std::vector<int32_t>{s.position});
    auto k_cache = zeros<__half>(static_cast<size_t>(last) * stride), v_cache = zeros<__half>(static_cast<size_t>(last) * stride);
    rope_cache_cuda(device_q.data(), device_k.data(), device_v.data(), s.tokens, s.heads, s.kv_heads,
                    {table.data(), s.dims / 2, s.head_dim, padded, stride, position.data(), k_cache.data(), v_cache.data()}, stream());
    rope_ref(q.data(), s.tokens, s.heads, s.head_dim, s.position, parameters);
    rope_ref(k.data(), s.tokens, s.kv_heads, s.head_dim, s.position, parameters);
    testing::expect_near(download(device_q), q, 2e-6);
    const auto k_half = download(k_cache), v_half = download(v_cache);
    for (int32_t p = 0; p < last; ++p)
      for (int32_t h = 0; h < s.kv_heads; ++h)
        for (int32_t d = 0; d < padded; ++d) {
          const size_t at = static_cast<size_t>(p) * stride + static_cast<size_t>(h) * padded + static_cast<size_t>(d);
          const float key = __half2float(k_half[at]), value = __half2float(v_half[at]);
          if (p < s.position || d >= s.head_dim) {
            ASSERT_EQ(key, 0.0f);  // nothing else was touched
            ASSERT_EQ(value, 0.0f);
          } else {
            const size_t from = (static_cast<size_t>(p - s.position) * s.kv_heads + static_cast<size_t>(h)) * s.head_dim + static_cast<size_t>(d);
            ASSERT_NEAR(key, k[from], 1e-3 * (1 + std::abs(k[from])));
            ASSERT_EQ(value, float_from_half(half_from_float(v[from])));
          }
        }
  }
}

}  // namespace
}  // namespace xcore::llm
