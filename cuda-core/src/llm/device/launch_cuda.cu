#include "llm/device/launch_cuda.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace xcore::llm {

bool launches_overlap() {
  static const bool serial = [] {
    const char* value = std::getenv("XCORE_CUDA_SERIAL");
    return value && std::strcmp(value, "1") == 0;
  }();
  if (serial) return false;
  static std::atomic<int> majors[64];  // 0: not asked yet
  int device = 0;
  XC_CUDA(cudaGetDevice(&device));
  int major = device < 64 ? majors[device].load(std::memory_order_relaxed) : 0;
  if (major == 0) {
    XC_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    if (device < 64) majors[device].store(major, std::memory_order_relaxed);
  }
  return major >= 9;
}

}  // namespace xcore::llm
