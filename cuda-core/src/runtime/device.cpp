#include "runtime/device.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>

#include "runtime/cpu_features.hpp"
#include "runtime/cuda_query.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore {

static std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

static void host_memory(uint64_t* total, uint64_t* available) {
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);) {
    unsigned long long kib = 0;
    if (std::sscanf(line.c_str(), "MemTotal: %llu", &kib) == 1) *total = kib * 1024;
    if (std::sscanf(line.c_str(), "MemAvailable: %llu", &kib) == 1) *available = kib * 1024;
  }
}

std::vector<xc_device_info> devices() {
  xc_device_info cpu;
  std::memset(&cpu, 0, sizeof cpu);
  cpu.device = kCpu;
  std::snprintf(cpu.name, sizeof cpu.name, "%s", cpu_name().c_str());
  std::snprintf(cpu.features, sizeof cpu.features, "%s", describe(cpu_features()).c_str());
  cpu.processors = thread_pool().threads();
  host_memory(&cpu.memory_total_bytes, &cpu.memory_free_bytes);
  std::vector<xc_device_info> all{cpu};
  for (const xc_device_info& gpu : cuda_query::devices()) all.push_back(gpu);
  return all;
}

int cuda_device_count() { return cuda_query::status().count; }
const std::string& cuda_unavailable_reason() { return cuda_query::status().reason; }
bool built_with_cuda() { return XCORE_CUDA != 0; }

xc_device resolve_device(xc_device requested, bool pays, const char* op) {
  const cuda_query::Status& cuda = cuda_query::status();
  switch (requested.kind) {
    case XC_DEVICE_CPU:
      return kCpu;
    case XC_DEVICE_AUTO:
      if (!pays) return kCpu;
      if (cuda.count > 0) return cuda_device(0);
      // A GPU that is plainly there but cannot be used deserves a word; a machine without one does not.
      if (cuda.gpu_present) trace::emit_fallback(op, cuda_device(0), cuda.reason);
      return kCpu;
    case XC_DEVICE_CUDA:
      if (cuda.count == 0) throw Error(XC_DEVICE_UNAVAILABLE, "device 'cuda' cannot be used: " + cuda.reason, "device");
      if (requested.index < 0 || requested.index >= cuda.count)
        throw error(XC_DEVICE_UNAVAILABLE, "device", -1,
                    "device 'cuda:%d' does not exist: this machine has %d CUDA device(s), cuda:0 to cuda:%d",
                    requested.index, cuda.count, cuda.count - 1);
      return requested;
    default:
      throw invalid_argument("device", "unknown kind of device %d; use auto (0), cpu (1) or cuda (2)", requested.kind);
  }
}

}  // namespace xcore
