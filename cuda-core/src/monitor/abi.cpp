// The domain's table: one monitor holds the host's sampler and NVML.
#include <algorithm>
#include <memory>
#include <mutex>

#include "monitor/gpu/nvml.hpp"
#include "monitor/host/host.hpp"
#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/trace.hpp"

struct xc_monitor {
  std::mutex mutex;
  xcore::monitor::HostSampler host;
  xcore::monitor::Nvml nvml;
};

namespace {

using namespace xcore;

xc_status open(xc_monitor** out, xc_error* error) {
  return guard(error, [&] { *out = std::make_unique<xc_monitor>().release(); });
}

void release(xc_monitor* monitor) { delete monitor; }

int32_t gpu_count(const xc_monitor* monitor) { return monitor->nvml.count(); }
int32_t gpu_identity(const xc_monitor* monitor, int32_t index, const char** name, const char** uuid) {
  if (index < 0 || index >= monitor->nvml.count()) return 0;
  *name = monitor->nvml.name(index).c_str();
  *uuid = monitor->nvml.uuid(index).c_str();
  return 1;
}
const char* gpu_reason(const xc_monitor* monitor) { return monitor->nvml.reason().c_str(); }
const char* driver_version(const xc_monitor* monitor) { return monitor->nvml.driver_version().c_str(); }

xc_status sample(xc_monitor* monitor, int32_t slow, xc_monitor_host* host, double* core_utilisation, int32_t core_capacity,
                 xc_monitor_gpu* gpus, int32_t gpu_capacity, xc_error* error) {
  return guard(error, [&] {
    const std::lock_guard<std::mutex> lock(monitor->mutex);
    const trace::OpTimer timer("monitor.sample", kCpu);
    std::vector<double> cores;
    monitor->host.sample(host, &cores);
    std::copy_n(cores.begin(), std::min<size_t>(cores.size(), std::max(core_capacity, 0)), core_utilisation);
    for (int32_t i = 0; i < std::min(monitor->nvml.count(), gpu_capacity); ++i)
      monitor->nvml.sample(i, slow != 0, &gpus[i]);
  });
}

const xc_monitor_table table = {{"monitor", XC_MONITOR_ABI, sizeof(xc_monitor_table)},
                                open,
                                release,
                                gpu_count,
                                gpu_identity,
                                gpu_reason,
                                driver_version,
                                sample};

}  // namespace

extern "C" const void* xc_monitor_table_v1(void) { return &table; }
