// JavaScript's passage to xc_monitor_table.
#include <cmath>
#include <vector>

#include "xcore/addon.hpp"
#include "xcore/monitor.h"

XADDON_DOMAIN(xc_monitor_table, "monitor", XC_MONITOR_ABI)

namespace {

using MonitorHandle = xaddon::Handle<xc_monitor>;
constexpr const char* kType = "Monitor";

Napi::Value quantity(Napi::Env env, double value) {
  return std::isnan(value) ? env.Null() : Napi::Value(Napi::Number::New(env, value));
}

Napi::Value Open(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_monitor_table>(info.Env());
  xc_monitor* monitor = nullptr;
  xaddon::check([&](xc_error* e) { return core.open(&monitor, e); });
  return MonitorHandle::wrap(info.Env(), monitor, core.release, kType);
}

Napi::Value Dispose(const Napi::CallbackInfo& info) {
  MonitorHandle::dispose(info[0], kType);
  return info.Env().Undefined();
}

Napi::Value Describe(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_monitor_table>(info.Env());
  const auto monitor = MonitorHandle::unwrap(info[0], kType);
  auto out = Napi::Object::New(info.Env());
  auto gpus = Napi::Array::New(info.Env());
  const char *name = nullptr, *uuid = nullptr;
  for (int32_t i = 0; core.gpu_identity(monitor.get(), i, &name, &uuid); ++i) {
    auto gpu = Napi::Object::New(info.Env());
    gpu.Set("index", i);
    gpu.Set("name", name);
    gpu.Set("uuid", uuid);
    gpus.Set(static_cast<uint32_t>(i), gpu);
  }
  out.Set("gpus", gpus);
  out.Set("gpuReason", core.gpu_reason(monitor.get()));
  out.Set("driverVersion", core.driver_version(monitor.get()));
  return out;
}

struct Reading {
  xc_monitor_host host{};
  std::vector<double> cores;
  std::vector<xc_monitor_gpu> gpus;
};

Napi::Value host_to_js(Napi::Env env, const Reading& r) {
  auto out = Napi::Object::New(env);
  const xc_monitor_host& h = r.host;
  out.Set("cpuUtilisation", quantity(env, h.cpu_utilisation));
  auto cores = Napi::Array::New(env, std::min<size_t>(h.cores, r.cores.size()));
  for (uint32_t i = 0; i < cores.Length(); ++i) cores.Set(i, quantity(env, r.cores[i]));
  out.Set("coreUtilisation", cores);
  out.Set("load1", quantity(env, h.load_1));
  out.Set("load5", quantity(env, h.load_5));
  out.Set("load15", quantity(env, h.load_15));
  out.Set("memoryTotalBytes", quantity(env, h.memory_total_bytes));
  out.Set("memoryUsedBytes", quantity(env, h.memory_used_bytes));
  out.Set("processMemoryBytes", quantity(env, h.process_memory_bytes));
  out.Set("processCpuCores", quantity(env, h.process_cpu));
  out.Set("temperatureCelsius", quantity(env, h.temperature_celsius));
  return out;
}

Napi::Value gpu_to_js(Napi::Env env, const xc_monitor_gpu& g) {
  auto out = Napi::Object::New(env);
  out.Set("index", g.index);
  out.Set("name", g.name);
  out.Set("uuid", g.uuid);
  out.Set("status", g.status == XC_MONITOR_GPU_OK ? "ok" : g.status == XC_MONITOR_GPU_LOST ? "lost" : "error");
  out.Set("message", g.message);
  out.Set("utilisation", quantity(env, g.utilisation));
  out.Set("memoryUtilisation", quantity(env, g.memory_utilisation));
  out.Set("memoryTotalBytes", quantity(env, g.memory_total_bytes));
  out.Set("memoryUsedBytes", quantity(env, g.memory_used_bytes));
  out.Set("temperatureCelsius", quantity(env, g.temperature_celsius));
  out.Set("powerWatts", quantity(env, g.power_watts));
  out.Set("powerLimitWatts", quantity(env, g.power_limit_watts));
  out.Set("energyJoules", quantity(env, g.energy_joules));
  out.Set("graphicsClockHz", quantity(env, g.graphics_clock_hz));
  out.Set("smClockHz", quantity(env, g.sm_clock_hz));
  out.Set("memoryClockHz", quantity(env, g.memory_clock_hz));
  out.Set("pcieSendBytesPerSecond", quantity(env, g.pcie_send_bytes_per_second));
  out.Set("pcieReceiveBytesPerSecond", quantity(env, g.pcie_receive_bytes_per_second));
  return out;
}

// sample(handle, slow): Promise<{ host, gpus }>
Napi::Value Sample(const Napi::CallbackInfo& info) {
  const auto* core = &xaddon::core<xc_monitor_table>(info.Env());
  const auto monitor = MonitorHandle::unwrap(info[0], kType);
  const bool slow = info[1].ToBoolean().Value();
  auto reading = std::make_shared<Reading>();
  reading->cores.resize(4096);
  reading->gpus.resize(core->gpu_count(monitor.get()));
  return xaddon::Job::start(
      info, info.Length(), {info[0]},
      [=](const xc_control*, xc_error* e) {
        return core->sample(monitor.get(), slow, &reading->host, reading->cores.data(),
                            static_cast<int32_t>(reading->cores.size()), reading->gpus.data(),
                            static_cast<int32_t>(reading->gpus.size()), e);
      },
      [=](Napi::Env env) -> Napi::Value {
        auto out = Napi::Object::New(env);
        out.Set("host", host_to_js(env, *reading));
        auto gpus = Napi::Array::New(env, reading->gpus.size());
        for (uint32_t i = 0; i < gpus.Length(); ++i) gpus.Set(i, gpu_to_js(env, reading->gpus[i]));
        out.Set("gpus", gpus);
        return out;
      });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "bind", xaddon_bind);
  XADDON_METHOD(exports, "open", Open);
  XADDON_METHOD(exports, "dispose", Dispose);
  XADDON_METHOD(exports, "describe", Describe);
  XADDON_METHOD(exports, "sample", Sample);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
