#include "monitor/gpu/nvml.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <limits>

namespace xcore::monitor {

namespace {

// Our own prototypes of NVML's stable C interface.
using Device = void*;
constexpr int kSuccess = 0, kGpuLost = 15, kResetRequired = 16, kFunctionNotFound = 13;
constexpr int kDriverNotLoaded = 9, kNoPermission = 4, kVersionMismatch = 18;
constexpr unsigned kTemperatureGpu = 0, kClockGraphics = 0, kClockSm = 1, kClockMemory = 2, kPcieSend = 0, kPcieReceive = 1;
struct Utilisation {
  unsigned gpu, memory;  // percent
};
struct Memory {
  unsigned long long total, free, used;
};
struct MemoryV2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
constexpr unsigned kMemoryV2Version = sizeof(MemoryV2) | (2u << 24);
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

void copy_text(char* out, size_t capacity, const std::string& text) {
  const size_t n = std::min(capacity - 1, text.size());
  std::memcpy(out, text.data(), n);
  out[n] = '\0';
}

}  // namespace

struct Nvml::Functions {
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*driver_version)(char*, unsigned) = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*handle)(unsigned, Device*) = nullptr;
  int (*name)(Device, char*, unsigned) = nullptr;
  int (*uuid)(Device, char*, unsigned) = nullptr;
  int (*utilisation)(Device, Utilisation*) = nullptr;
  int (*memory_v2)(Device, MemoryV2*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*temperature)(Device, unsigned, unsigned*) = nullptr;
  int (*power)(Device, unsigned*) = nullptr;
  int (*power_limit)(Device, unsigned*) = nullptr;
  int (*energy)(Device, unsigned long long*) = nullptr;
  int (*clock)(Device, unsigned, unsigned*) = nullptr;
  int (*pcie)(Device, unsigned, unsigned*) = nullptr;
};

std::string Nvml::error_text(int code) const {
  const char* text = f_->error_string ? f_->error_string(code) : nullptr;
  return (text ? std::string(text) : "NVML error") + " (" + std::to_string(code) + ")";
}

Nvml::Nvml(const char* path, Lookup lookup) : f_(new Functions) {
  if (!path) path = std::getenv("XCORE_NVML");
  if (!path || !*path) path = "libnvidia-ml.so.1";
  if (!lookup) lookup = [](void* library, const char* symbol) { return dlsym(library, symbol); };
  // Never closed: drivers leave threads and exit handlers behind that point into the library.
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();
    reason_ = std::string("the NVIDIA driver's library could not be opened, so no GPU is sampled: ") + (why ? why : path);
    return;
  }
  // Newer versions of a function come first; a driver too old for them still has the base name.
  const auto find = [&](auto*& function, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (void* symbol = lookup(library, name)) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
        return;
      }
    }
  };
  find(f_->init, {"nvmlInit_v2", "nvmlInit"});
  find(f_->shutdown, {"nvmlShutdown"});
  find(f_->error_string, {"nvmlErrorString"});
  find(f_->driver_version, {"nvmlSystemGetDriverVersion"});
  find(f_->count, {"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"});
  find(f_->handle, {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"});
  find(f_->name, {"nvmlDeviceGetName"});
  find(f_->uuid, {"nvmlDeviceGetUUID"});
  find(f_->utilisation, {"nvmlDeviceGetUtilizationRates"});
  find(f_->memory_v2, {"nvmlDeviceGetMemoryInfo_v2"});
  find(f_->memory, {"nvmlDeviceGetMemoryInfo"});
  find(f_->temperature, {"nvmlDeviceGetTemperature"});
  find(f_->power, {"nvmlDeviceGetPowerUsage"});
  find(f_->power_limit, {"nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementLimit"});
  find(f_->energy, {"nvmlDeviceGetTotalEnergyConsumption"});
  find(f_->clock, {"nvmlDeviceGetClockInfo"});
  find(f_->pcie, {"nvmlDeviceGetPcieThroughput"});
  if (!f_->init || !f_->count || !f_->handle) {
    reason_ = std::string(path) + " is not NVIDIA's management library: it lacks nvmlInit, nvmlDeviceGetCount or nvmlDeviceGetHandleByIndex";
    return;
  }
  if (const int code = f_->init()) {
    reason_ = "NVML could not be initialised: " + error_text(code);
    if (code == kDriverNotLoaded) reason_ += "; the NVIDIA kernel driver is not loaded";
    if (code == kNoPermission) reason_ += "; give this process access to /dev/nvidia* (in a container: --gpus all)";
    if (code == kVersionMismatch) reason_ += "; the driver was updated without a reboot";
    return;
  }
  initialised_ = true;
  char text[96] = {};
  if (f_->driver_version && f_->driver_version(text, sizeof text - 1) == kSuccess) driver_version_ = text;
  unsigned count = 0;
  if (const int code = f_->count(&count)) {
    reason_ = "NVML could not count the GPUs: " + error_text(code);
    return;
  }
  if (count == 0) reason_ = "the NVIDIA driver is there, but it shows no GPU to this process";
  gpus_.resize(std::min(count, 1024u));
  for (int32_t i = 0; i < this->count(); ++i) {
    acquire(i, &gpus_[i]);
    identities_.emplace_back(gpus_[i].name, gpus_[i].uuid);
  }
}

Nvml::~Nvml() {
  if (initialised_ && f_->shutdown) f_->shutdown();
  delete f_;
}

int Nvml::acquire(int32_t index, Gpu* gpu) const {
  gpu->handle = nullptr;
  Device handle = nullptr;
  if (const int code = f_->handle(static_cast<unsigned>(index), &handle)) return code;
  gpu->handle = handle;
  char text[96] = {};
  if (f_->name && f_->name(handle, text, sizeof text - 1) == kSuccess) gpu->name = text;
  std::memset(text, 0, sizeof text);
  if (f_->uuid && f_->uuid(handle, text, sizeof text - 1) == kSuccess) gpu->uuid = text;
  return kSuccess;
}

void Nvml::sample(int32_t index, bool slow, xc_monitor_gpu* out) {
  Gpu& gpu = gpus_.at(index);
  *out = {};
  out->index = index;
  double* values[] = {&out->utilisation,         &out->memory_utilisation, &out->memory_total_bytes,
                      &out->memory_used_bytes,   &out->temperature_celsius, &out->power_watts,
                      &out->power_limit_watts,   &out->energy_joules,       &out->graphics_clock_hz,
                      &out->sm_clock_hz,         &out->memory_clock_hz,     &out->pcie_send_bytes_per_second,
                      &out->pcie_receive_bytes_per_second};
  for (double* v : values) *v = kUnknown;

  int failure = kSuccess;
  // A GPU that was lost may be back after a reset, under a new handle.
  if (!gpu.handle) failure = acquire(index, &gpu);
  copy_text(out->name, sizeof out->name, gpu.name);
  copy_text(out->uuid, sizeof out->uuid, gpu.uuid);
  // Calls one query; a metric that this GPU does not have stays unknown, a lost GPU ends the sample.
  const auto ask = [&](auto function, auto... arguments) {
    if (failure != kSuccess) return false;
    const int code = function ? function(gpu.handle, arguments...) : kFunctionNotFound;
    if (code == kGpuLost || code == kResetRequired) failure = code;
    return code == kSuccess;
  };
  const auto ask_unsigned = [&](double* to, double unit, auto function, auto... arguments) {
    unsigned value = 0;
    if (ask(function, arguments..., &value)) *to = value * unit;
  };
  Utilisation utilisation{};
  if (ask(f_->utilisation, &utilisation)) {
    out->utilisation = utilisation.gpu / 100.0;
    out->memory_utilisation = utilisation.memory / 100.0;
  }
  MemoryV2 v2{};
  v2.version = kMemoryV2Version;
  Memory v1{};
  if (ask(f_->memory_v2, &v2)) {
    out->memory_total_bytes = static_cast<double>(v2.total);
    out->memory_used_bytes = static_cast<double>(v2.used);
  } else if (ask(f_->memory, &v1)) {
    out->memory_total_bytes = static_cast<double>(v1.total);
    out->memory_used_bytes = static_cast<double>(v1.used);
  }
  ask_unsigned(&out->temperature_celsius, 1.0, f_->temperature, kTemperatureGpu);
  ask_unsigned(&out->power_watts, 1e-3, f_->power);
  ask_unsigned(&out->power_limit_watts, 1e-3, f_->power_limit);
  unsigned long long millijoules = 0;
  if (ask(f_->energy, &millijoules)) out->energy_joules = static_cast<double>(millijoules) * 1e-3;
  ask_unsigned(&out->graphics_clock_hz, 1e6, f_->clock, kClockGraphics);
  ask_unsigned(&out->sm_clock_hz, 1e6, f_->clock, kClockSm);
  ask_unsigned(&out->memory_clock_hz, 1e6, f_->clock, kClockMemory);
  if (slow) {
    ask_unsigned(&out->pcie_send_bytes_per_second, 1024.0, f_->pcie, kPcieSend);
    ask_unsigned(&out->pcie_receive_bytes_per_second, 1024.0, f_->pcie, kPcieReceive);
  }
  if (failure != kSuccess) {
    for (double* v : values) *v = kUnknown;
    out->status = failure == kGpuLost || failure == kResetRequired ? XC_MONITOR_GPU_LOST : XC_MONITOR_GPU_ERROR;
    copy_text(out->message, sizeof out->message, error_text(failure));
    gpu.handle = nullptr;
  }
}

}  // namespace xcore::monitor
