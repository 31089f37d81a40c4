// CUDA inside the core: checked calls, a stream with its device, pooled memory, events. Only *_cuda.cu files and
// runtime/cuda.cu include this; everything else sees plain functions named <op>_cuda.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/error.hpp"

namespace xcore::cuda {

// Throws Error(XC_OUT_OF_MEMORY or XC_DEVICE_FAILED) that names the call; clears the sticky-free error state.
void check(cudaError_t result, const char* what);
#define XC_CUDA(call) ::xcore::cuda::check((call), #call)
// After every kernel launch.
#define XC_CUDA_LAUNCHED(kernel) ::xcore::cuda::check(cudaGetLastError(), "launch of " kernel)

// Blocks of `threads` threads that cover so many items, one each.
inline unsigned blocks_for(int64_t items, int threads) { return static_cast<unsigned>((items + threads - 1) / threads); }

// Makes a device current for a scope.
class DeviceScope {
 public:
  explicit DeviceScope(int device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int previous_;
};

// A stream of one device. Move-only.
class Stream {
 public:
  explicit Stream(int device);
  ~Stream();
  Stream(Stream&& other) noexcept : device_(other.device_), stream_(std::exchange(other.stream_, nullptr)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }
  operator cudaStream_t() const { return stream_; }
  int device() const { return device_; }
  void synchronize() const;

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream);
  void synchronize() const;
  static float elapsed_ms(const Event& start, const Event& end);  // both completed
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// Device memory from the device's pool (stream-ordered; freed blocks stay in the pool for reuse).
void* pool_allocate(size_t bytes, const Stream& stream);
void pool_release(void* pointer, const Stream& stream) noexcept;
// Gives idle pooled memory back to the driver.
void pool_trim(int device);

// Typed device memory tied to a stream. Move-only; the stream must outlive it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(size_t count, const Stream& stream)
      : data_(static_cast<T*>(pool_allocate(count * sizeof(T), stream))), count_(count), stream_(&stream) {}
  ~Buffer() { reset(); }
  Buffer(Buffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)), count_(std::exchange(o.count_, 0)), stream_(o.stream_) {}
  Buffer& operator=(Buffer&& o) noexcept {
    if (this != &o) {
      reset();
      data_ = std::exchange(o.data_, nullptr);
      count_ = std::exchange(o.count_, 0);
      stream_ = o.stream_;
    }
    return *this;
  }
  void reset() noexcept {
    if (data_) pool_release(data_, *stream_);
    data_ = nullptr;
    count_ = 0;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return count_; }
  // Host pointers must stay valid until the stream has passed the copy.
  void upload(const T* host, size_t count) {
    XC_CUDA(cudaMemcpyAsync(data_, host, count * sizeof(T), cudaMemcpyHostToDevice, stream_->get()));
  }
  void download(T* host, size_t count) const {
    XC_CUDA(cudaMemcpyAsync(host, data_, count * sizeof(T), cudaMemcpyDeviceToHost, stream_->get()));
  }
  static Buffer from_host(const T* host, size_t count, const Stream& stream) {
    Buffer b(count, stream);
    b.upload(host, count);
    return b;
  }

 private:
  T* data_ = nullptr;
  size_t count_ = 0;
  const Stream* stream_ = nullptr;
};

// Page-locked host memory.
template <class T>
class PinnedBuffer {
 public:
  explicit PinnedBuffer(size_t count) : count_(count) {
    XC_CUDA(cudaMallocHost(reinterpret_cast<void**>(&data_), count * sizeof(T)));
  }
  ~PinnedBuffer() { cudaFreeHost(data_); }
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;
  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return count_; }

 private:
  T* data_ = nullptr;
  size_t count_;
};

}  // namespace xcore::cuda
