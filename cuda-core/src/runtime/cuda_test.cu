// What only a GPU can show: the same random numbers, memory that fails without breaking the device, pooled reuse.
#include <gtest/gtest.h>

#include <vector>

#include "runtime/cuda.hpp"
#include "runtime/device.hpp"
#include "runtime/philox.hpp"

using namespace xcore;

namespace {

class CudaRuntime : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "SKIPPED BACKEND cuda: " << cuda_unavailable_reason();
  }
};

__global__ void draw(uint64_t seed, uint32_t* out, double* normals, int count) {
  const int stream = blockIdx.x * blockDim.x + threadIdx.x;
  if (stream >= count) return;
  Philox random(seed, stream, 5);
  out[stream] = random.next_u32();
  normals[stream] = random.next_normal();
}

TEST_F(CudaRuntime, philox_is_the_same_on_the_device) {
  constexpr int n = 1000;
  const cuda::Stream stream(0);
  cuda::Buffer<uint32_t> words(n, stream);
  cuda::Buffer<double> normals(n, stream);
  draw<<<(n + 127) / 128, 128, 0, stream>>>(99, words.data(), normals.data(), n);
  XC_CUDA_LAUNCHED("draw");
  std::vector<uint32_t> got(n);
  std::vector<double> got_normals(n);
  words.download(got.data(), n);
  normals.download(got_normals.data(), n);
  stream.synchronize();
  for (int s = 0; s < n; ++s) {
    Philox random(99, s, 5);
    ASSERT_EQ(got[s], random.next_u32());
    ASSERT_NEAR(got_normals[s], random.next_normal(), 1e-12);  // log and cos of two libraries
  }
}

TEST_F(CudaRuntime, memory_that_cannot_be_had_is_a_typed_error_and_the_device_goes_on) {
  const cuda::Stream stream(0);
  try {
    cuda::Buffer<char> absurd(size_t{1} << 46, stream);
    FAIL() << "64 TiB were given";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_OUT_OF_MEMORY);
    EXPECT_NE(std::string(e.what()).find("bytes"), std::string::npos);
  }
  const std::vector<int> values{1, 2, 3};
  auto small = cuda::Buffer<int>::from_host(values.data(), 3, stream);
  std::vector<int> back(3);
  small.download(back.data(), 3);
  stream.synchronize();
  EXPECT_EQ(back, values);
}

TEST_F(CudaRuntime, freed_memory_is_reused_by_the_pool) {
  const cuda::Stream stream(0);
  void* first = cuda::pool_allocate(1 << 20, stream);
  cuda::pool_release(first, stream);
  void* second = cuda::pool_allocate(1 << 20, stream);
  EXPECT_EQ(first, second);
  cuda::pool_release(second, stream);
}

TEST_F(CudaRuntime, events_measure_the_stream) {
  const cuda::Stream stream(0);
  cuda::Event start, end;
  start.record(stream);
  cuda::Buffer<char> block(1 << 24, stream);
  XC_CUDA(cudaMemsetAsync(block.data(), 1, block.size(), stream));
  end.record(stream);
  end.synchronize();
  EXPECT_GT(cuda::Event::elapsed_ms(start, end), 0.0f);
}

TEST_F(CudaRuntime, devices_list_the_gpu_after_the_cpu) {
  const auto all = devices();
  ASSERT_GE(all.size(), 2u);
  EXPECT_EQ(all[0].device.kind, XC_DEVICE_CPU);
  EXPECT_EQ(all[1].device.kind, XC_DEVICE_CUDA);
  EXPECT_GT(all[1].memory_total_bytes, 0u);
  EXPECT_GT(all[1].processors, 0);
  EXPECT_EQ(std::string(all[1].uuid).rfind("GPU-", 0), 0u);
}

}  // namespace
