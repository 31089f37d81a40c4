// NVIDIA's management library, opened at run time: nothing links it, and its absence is a normal state.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "xcore/monitor.h"

namespace xcore::monitor {

class Nvml {
 public:
  using Lookup = void* (*)(void* library, const char* symbol);

  // `path`: the library; null for $XCORE_NVML, else libnvidia-ml.so.1. `lookup`: null for dlsym; tests hide symbols.
  explicit Nvml(const char* path = nullptr, Lookup lookup = nullptr);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  int32_t count() const { return static_cast<int32_t>(gpus_.size()); }
  const std::string& reason() const { return reason_; }  // "" when count() > 0
  // As found at construction; sampling may replace neither.
  const std::string& name(int32_t index) const { return identities_[index].first; }
  const std::string& uuid(int32_t index) const { return identities_[index].second; }
  const std::string& driver_version() const { return driver_version_; }
  // Reads GPU `index`; `slow` also reads the PCIe rates (about 20 ms each).
  void sample(int32_t index, bool slow, xc_monitor_gpu* out);

 private:
  struct Gpu {
    void* handle = nullptr;
    std::string name, uuid;
  };
  struct Functions;

  std::string error_text(int code) const;
  int acquire(int32_t index, Gpu* gpu) const;

  Functions* f_;
  bool initialised_ = false;
  std::string reason_, driver_version_;
  std::vector<Gpu> gpus_;
  std::vector<std::pair<std::string, std::string>> identities_;  // never changed after construction
};

}  // namespace xcore::monitor
