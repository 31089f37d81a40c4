#include "llm/matmul/matmul_cuda.hpp"

#include "llm/attention/attention_cuda.hpp"
#include "llm/rope/rope_cuda.hpp"
#include "llm/swiglu/swiglu.hpp"
#include "llm/testing_cuda.hpp"

namespace xcore::llm {
namespace {

using gguf::TensorType;

constexpr TensorType kTypes[] = {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0};

class MatmulCuda : public testing::CudaOp {
 protected:
  void compare(const testing::MatmulCase& c) {
    const auto w = testing::random_matrix(c.type, c.rows, c.columns, 71);
    const auto x = testing::random_floats(static_cast<size_t>(c.tokens) * c.columns, 72);
    std::vector<float> expected(static_cast<size_t>(c.tokens) * c.rows);
    matmul_ref(w.matrix, x.data(), c.tokens, expected.data());
    testing::UploadedMatrix uploaded(w.matrix, stream());
    testing::UploadedActivations activations(x, c.columns, stream());
    auto out = poisoned<float>(expected.size());
    matmul_cuda(uploaded.matrix, activations.get(), c.tokens, out.data(), Store::set, stream());
    testing::expect_near(download(out), expected, 2e-5);
    // Added to what is there.
    matmul_cuda(uploaded.matrix, activations.get(), c.tokens, out.data(), Store::add, stream());
    for (float& e : expected) e *= 2;
    testing::expect_near(download(out), expected, 4e-5);
    if (HasFatalFailure())
      ADD_FAILURE() << "type " << static_cast<int>(c.type) << ", " << c.rows << " x " << c.columns << ", " << c.tokens << " tokens";
  }
};

TEST_F(MatmulCuda, matches_the_reference_on_the_common_cases) {
  for (const testing::MatmulCase& c : testing::matmul_cases()) {
    compare(c);
    if (HasFailure()) return;
  }
}

TEST_F(MatmulCuda, matches_the_reference_for_every_number_of_tokens_around_the_switch_of_kernels) {
  for (const TensorType type : kTypes)
    for (const int32_t tokens : {3, 4, 6, 7, 8, 9, 63, 64, 65, 70}) {
      compare({type, 131, 224, tokens});
      if (HasFailure()) return;
    }
}

TEST_F(MatmulCuda, matches_the_reference_at_the_sizes_of_real_models) {
  for (const TensorType type : kTypes)
    for (const int32_t tokens : {1, 4, 70}) {
      compare({type, 300, 4096, tokens});
      compare({type, 259, 11008, tokens});
      if (HasFailure()) return;
    }
}

TEST_F(MatmulCuda, multiplies_three_matrices_of_mixed_types_in_one_call) {
  const int32_t columns = 96;
  for (const int32_t tokens : {1, 5, 20}) {
    const auto x = testing::random_floats(static_cast<size_t>(tokens) * columns, 75);
    testing::UploadedActivations activations(x, columns, stream());
    std::vector<testing::OwnedMatrix> host;
    std::vector<testing::UploadedMatrix> device;
    std::vector<cuda::Buffer<float>> out;
    const TensorType types[] = {TensorType::q4_0, TensorType::q4_0, TensorType::f16};
    const int32_t rows[] = {33, 8, 7};
    for (int i = 0; i < 3; ++i) {
      host.push_back(testing::random_matrix(types[i], rows[i], columns, 76 + static_cast<uint64_t>(i)));
      device.emplace_back(host.back().matrix, stream());
      out.push_back(poisoned<float>(static_cast<size_t>(tokens) * rows[i]));
    }
    const DeviceProduct products[] = {{&device[0].matrix, out[0].data()}, {&device[1].matrix, out[1].data()}, {&device[2].matrix, out[2].data()}};
    matmul_cuda(products, 3, activations.get(), tokens, Store::set, stream());
    for (size_t i = 0; i < 3; ++i) {
      std::vector<float> expected(static_cast<size_t>(tokens) * rows[i]);
      matmul_ref(host[i].matrix, x.data(), tokens, expected.data());
      testing::expect_near(download(out[i]), expected, 2e-5);
    }
  }
}

TEST_F(MatmulCuda, fuses_queries_keys_and_values_with_rope_and_the_cache) {
  struct Shape {
    int32_t heads, kv_heads, head_dim, dims, columns;
  };
  for (const TensorType type : kTypes)
    for (const Shape s : {Shape{8, 4, 8, 8, 64}, Shape{6, 2, 20, 12, 96}, Shape{4, 1, 64, 64, 256}})
      for (const int32_t tokens : {1, 2, 5, 8}) {
        const int32_t position = 11, last = position + tokens, padded = cache_head_dim(s.head_dim), stride = s.kv_heads * padded;
        const auto wq = testing::random_matrix(type, s.heads * s.head_dim, s.columns, 81);
        const auto wk = testing::random_matrix(type, s.kv_heads * s.head_dim, s.columns, 82);
        const auto wv = testing::random_matrix(type, s.kv_heads * s.head_dim, s.columns, 83);
        const auto x = testing::random_floats(static_cast<size_t>(tokens) * s.columns, 84);
        testing::UploadedMatrix q(wq.matrix, stream()), k(wk.matrix, stream()), v(wv.matrix, stream());
        testing::UploadedActivations activations(x, s.columns, stream());
        const RopeParameters parameters{s.dims, 10000.0, 1.0, nullptr};
        const auto frequencies = upload(rope_frequencies(parameters));
        auto table = poisoned<float>(static_cast<size_t>(last) * s.dims);
        rope_table_cuda(frequencies.data(), s.dims / 2, last, table.data(), stream());
        const auto device_position = upload(std::vector<int32_t>{position});
        auto q_out = poisoned<float>(static_cast<size_t>(tokens) * s.heads * s.head_dim);
        auto k_cache = zeros<__half>(static_cast<size_t>(last) * stride), v_cache = zeros<__half>(static_cast<size_t>(last) * stride);
        ASSERT_TRUE(qkv_fits(q.matrix, k.matrix, v.matrix, tokens, s.head_dim));
        qkv_rope_cuda(q.matrix, k.matrix, v.matrix, activations.get(), tokens,
                      {table.data(), s.dims / 2, s.head_dim, padded, stride, device_position.data(), k_cache.data(), v_cache.data()},
                      q_out.data(), stream());
        std::vector<float> expected_q(static_cast<size_t>(tokens) * s.heads * s.head_dim);
        std::vector<float> expected_k(static_cast<size_t>(tokens) * s.kv_heads * s.head_dim), expected_v(expected_k.size());
        matmul_ref(wq.matrix, x.data(), tokens, expected_q.data());
        matmul_ref(wk.matrix, x.data(), tokens, expected_k.data());
        matmul_ref(wv.matrix, x.data(), tokens, expected_v.data());
        rope_ref(expected_q.data(), tokens, s.heads, s.head_dim, position, parameters);
        rope_ref(expected_k.data(), tokens, s.kv_heads, s.head_dim, position, parameters);
        testing::expect_near(download(q_out), expected_q, 2e-5);
        const auto k_half = download(k_cache), v_half = download(v_cache);
        for (int32_t t = 0; t < tokens; ++t)
          for (int32_t h = 0; h < s.kv_heads; ++h)
            for (int32_t d = 0; d < s.head_dim; ++d) {
              const size_t at = static_cast<size_t>(position + t) * stride + static_cast<size_t>(h) * padded + static_cast<size_t>(d);
              const size_t from = (static_cast<size_t>(t) * s.kv_heads + static_cast<size_t>(h)) * s.head_dim + static_cast<size_t>(d);
              ASSERT_NEAR(__half2float(k_half[at]), expected_k[from], 1e-3 * (1 + std::abs(expected_k[from])));
              ASSERT_NEAR(__half2float(v_half[at]), expected_v[from], 1e-3 * (1 + std::abs(expected_v[from])));
            }
      }
}

TEST_F(MatmulCuda, fuses_gate_and_up_with_swiglu_and_quantisation) {
  for (const TensorType type : kTypes)
    for (const int32_t rows : {32, 172, 352, 1})
      for (const int32_t tokens : {1, 2, 3, 8}) {
        const int32_t columns = 128;
        const auto wg = testing::random_matrix(type, rows, columns, 91), wu = testing::random_matrix(type, rows, columns, 92);
        const auto x = testing::random_floats(static_cast<size_t>(tokens) * columns, 93);
        std::vector<float> gate(static_cast<size_t>(tokens) * rows), up(gate.size()), expected(gate.size());
        matmul_ref(wg.matrix, x.data(), tokens, gate.data());
        matmul_ref(wu.matrix, x.data(), tokens, up.data());
        swiglu_ref(gate.data(), up.data(), static_cast<int64_t>(gate.size()), expected.data());
        testing::UploadedMatrix g(wg.matrix, stream()), u(wu.matrix, stream());
        testing::UploadedActivations activations(x, columns, stream());
        auto out = poisoned<float>(expected.size());
        const bool quantize = rows % 32 == 0;
        auto q = poisoned<int8_t>(expected.size());
        auto scale = poisoned<float>(expected.size() / 32 + 1);
        swiglu_matmul_cuda(g.matrix, u.matrix, activations.get(), tokens, out.data(),
                           quantize ? QuantizedRows{q.data(), scale.data()} : QuantizedRows{}, stream());
        const auto actual = download(out);
        testing::expect_near(actual, expected, 5e-5);
        if (!quantize) continue;
        std::vector<int8_t> expected_q(expected.size());
        std::vector<float> expected_scale(expected.size() / 32);
        quantize_rows_ref(actual.data(), tokens, rows, {expected_q.data(), expected_scale.data()});
        EXPECT_EQ(download(q), expected_q);
        auto actual_scale = download(scale);
        actual_scale.pop_back();
        EXPECT_EQ(actual_scale, expected_scale);
      }
}

}  // namespace
}  // namespace xcore::llm
