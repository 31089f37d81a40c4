// Driver queries, checked calls, streams, events and the memory pool.
#include "runtime/cuda.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "runtime/cuda_query.hpp"

namespace xcore {
namespace cuda_query {

const Status& status() {
  static const Status s = [] {
    Status out;
    out.gpu_present = access("/dev/nvidiactl", F_OK) == 0;
    int count = 0;
    const cudaError_t result = cudaGetDeviceCount(&count);
    if (result == cudaSuccess && count > 0) {
      out.count = count;
      out.gpu_present = true;
      return out;
    }
    cudaGetLastError();
    // cudart says "driver version is insufficient" when there is no driver at all.
    if (result == cudaErrorInsufficientDriver || result == cudaErrorNoDevice || count == 0) {
      int driver = 0, runtime = 0;
      cudaDriverGetVersion(&driver);
      cudaRuntimeGetVersion(&runtime);
      if (driver == 0) {
        out.reason = out.gpu_present
                         ? "an NVIDIA device exists, but libcuda.so.1 could not be loaded. Install the NVIDIA driver, "
                           "or start the container with --gpus all."
                         : "no NVIDIA driver is installed. Install a driver that supports CUDA 13.0 (580 or newer), or "
                           "use device 'cpu' or 'auto'.";
      } else if (driver < runtime) {
        out.reason = "the NVIDIA driver supports CUDA " + std::to_string(driver / 1000) + "." +
                     std::to_string(driver % 1000 / 10) + ", this build needs " + std::to_string(runtime / 1000) + "." +
                     std::to_string(runtime % 1000 / 10) + ". Update the driver (580 or newer).";
      } else {
        out.reason = "the driver shows no CUDA device. Check CUDA_VISIBLE_DEVICES and, in a container, --gpus.";
      }
    } else {
      out.reason = std::string("the CUDA driver failed: ") + cudaGetErrorString(result);
    }
    return out;
  }();
  return s;
}

std::vector<xc_device_info> devices() {
  std::vector<xc_device_info> all;
  for (int i = 0; i < status().count; ++i) {
    cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) {
      cudaGetLastError();
      continue;
    }
    xc_device_info info;
    std::memset(&info, 0, sizeof info);
    info.device = {XC_DEVICE_CUDA, i};
    std::snprintf(info.name, sizeof info.name, "%.127s", p.name);
    const auto* u = reinterpret_cast<const unsigned char*>(p.uuid.bytes);
    std::snprintf(info.uuid, sizeof info.uuid,
                  "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3],
                  u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
    info.memory_total_bytes = p.totalGlobalMem;
    int previous = 0;
    cudaGetDevice(&previous);
    size_t free_bytes = 0, total = 0;
    if (cudaSetDevice(i) == cudaSuccess && cudaMemGetInfo(&free_bytes, &total) == cudaSuccess)
      info.memory_free_bytes = free_bytes;
    cudaSetDevice(previous);
    cudaGetLastError();
    info.compute_major = p.major;
    info.compute_minor = p.minor;
    info.processors = p.multiProcessorCount;
    std::snprintf(info.features, sizeof info.features, "sm_%d%d", p.major, p.minor);
    all.push_back(info);
  }
  return all;
}

}  // namespace cuda_query

namespace cuda {

void check(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  cudaGetLastError();  // a failed call is reported here, not again by the next launch
  if (result == cudaErrorMemoryAllocation)
    throw error(XC_OUT_OF_MEMORY, "device", -1, "the GPU has no memory left (%s)", what);
  throw error(XC_DEVICE_FAILED, "device", -1, "%s: %s (%s)", what, cudaGetErrorString(result), cudaGetErrorName(result));
}

DeviceScope::DeviceScope(int device) : previous_(device) {
  cudaGetDevice(&previous_);
  if (previous_ != device) XC_CUDA(cudaSetDevice(device));
}
DeviceScope::~DeviceScope() { cudaSetDevice(previous_); }

Stream::Stream(int device) : device_(device) {
  DeviceScope scope(device);
  XC_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}
Stream::~Stream() {
  if (stream_) cudaStreamDestroy(stream_);
}
void Stream::synchronize() const { XC_CUDA(cudaStreamSynchronize(stream_)); }

Event::Event() { XC_CUDA(cudaEventCreate(&event_)); }
Event::~Event() {
  if (event_) cudaEventDestroy(event_);
}
void Event::record(cudaStream_t stream) { XC_CUDA(cudaEventRecord(event_, stream)); }
void Event::synchronize() const { XC_CUDA(cudaEventSynchronize(event_)); }
float Event::elapsed_ms(const Event& start, const Event& end) {
  float ms = 0;
  XC_CUDA(cudaEventElapsedTime(&ms, start.event_, end.event_));
  return ms;
}

// The driver's stream-ordered pool with its release threshold raised: freed blocks stay with the process.
static cudaMemPool_t pool_of(int device) {
  cudaMemPool_t pool;
  XC_CUDA(cudaDeviceGetDefaultMemPool(&pool, device));
  static thread_local uint64_t configured = 0;
  if (device < 64 && !(configured >> device & 1)) {
    uint64_t keep = UINT64_MAX;
    XC_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
    configured |= 1ull << device;
  }
  return pool;
}

void* pool_allocate(size_t bytes, const Stream& stream) {
  if (bytes == 0) return nullptr;
  void* pointer = nullptr;
  const cudaMemPool_t pool = pool_of(stream.device());
  cudaError_t result = cudaMallocFromPoolAsync(&pointer, bytes, pool, stream);
  if (result == cudaErrorMemoryAllocation) {
    // Fragmented leftovers of the pool may be what is missing.
    cudaGetLastError();
    cudaStreamSynchronize(stream);
    cudaMemPoolTrimTo(pool, 0);
    result = cudaMallocFromPoolAsync(&pointer, bytes, pool, stream);
  }
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw error(XC_OUT_OF_MEMORY, "device", -1, "cuda:%d cannot provide %zu bytes. Free memory on the device or use a smaller model, context or batch.",
                stream.device(), bytes);
  }
  check(result, "cudaMallocFromPoolAsync");
  return pointer;
}

void pool_release(void* pointer, const Stream& stream) noexcept {
  if (pointer && cudaFreeAsync(pointer, stream) != cudaSuccess) cudaGetLastError();
}

void pool_trim(int device) { XC_CUDA(cudaMemPoolTrimTo(pool_of(device), 0)); }

}  // namespace cuda
}  // namespace xcore
