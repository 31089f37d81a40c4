// What the GPU tests of the ops share: a fixture that skips aloud without a GPU, and arrays that come and go. Outputs
// start poisoned, so that a value a kernel forgets cannot pass.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "llm/testing_cases.hpp"
#include "llm/weights/weights_cuda.hpp"
#include "runtime/cuda.hpp"
#include "runtime/device.hpp"

namespace xcore::llm::testing {

class CudaOp : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "SKIPPED BACKEND cuda: " << cuda_unavailable_reason();
    stream_.emplace(0);
  }
  const cuda::Stream& stream() const { return *stream_; }

  template <class T>
  cuda::Buffer<T> upload(const std::vector<T>& host) {
    auto out = cuda::Buffer<T>::from_host(host.data(), host.size(), *stream_);
    stream_->synchronize();
    return out;
  }
  // All bits set: NaN for floats and halves, -1 for integers.
  template <class T>
  cuda::Buffer<T> poisoned(size_t count) {
    cuda::Buffer<T> out(count, *stream_);
    XC_CUDA(cudaMemsetAsync(out.data(), 0xFF, count * sizeof(T), *stream_));
    return out;
  }
  template <class T>
  cuda::Buffer<T> zeros(size_t count) {
    cuda::Buffer<T> out(count, *stream_);
    XC_CUDA(cudaMemsetAsync(out.data(), 0, count * sizeof(T), *stream_));
    return out;
  }
  template <class T>
  std::vector<T> download(const cuda::Buffer<T>& from) {
    std::vector<T> out(from.size());
    from.download(out.data(), out.size());
    stream_->synchronize();
    return out;
  }

 private:
  std::optional<cuda::Stream> stream_;
};

// A matrix on the GPU with the memory it lies in.
struct UploadedMatrix {
  UploadedMatrix(const Matrix& host, const cuda::Stream& stream) : memory(device_bytes(host), stream) {
    XC_CUDA(cudaMemsetAsync(memory.data(), 0xFF, memory.size(), stream));
    Uploader uploader(stream);
    matrix = uploader.matrix(host, memory.data());
    uploader.finish();
  }
  cuda::Buffer<uint8_t> memory;
  DeviceMatrix matrix;
};

// Rows of activations on the GPU in both forms.
struct UploadedActivations {
  UploadedActivations(const std::vector<float>& x, int32_t columns, const cuda::Stream& stream)
      : floats(cuda::Buffer<float>::from_host(x.data(), x.size(), stream)) {
    if (columns % 32 == 0) {
      std::vector<int8_t> host_q(x.size());
      std::vector<float> host_scale(x.size() / 32);
      quantize_rows_ref(x.data(), static_cast<int64_t>(x.size()) / columns, columns, {host_q.data(), host_scale.data()});
      q = cuda::Buffer<int8_t>::from_host(host_q.data(), host_q.size(), stream);
      scale = cuda::Buffer<float>::from_host(host_scale.data(), host_scale.size(), stream);
      stream.synchronize();
    }
    stream.synchronize();
  }
  Activations get() { return {floats.data(), {q.data(), scale.data()}}; }
  cuda::Buffer<float> floats, scale;
  cuda::Buffer<int8_t> q;
};

}  // namespace xcore::llm::testing
