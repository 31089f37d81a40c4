// The tables of this build. A domain left out of XCORE_MODULES is simply unknown.
#include <cstring>

#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/thread_pool.hpp"
#include "runtime/trace.hpp"
#include "xcore/core.h"

extern "C" {
#if XCORE_HAS_TOKENIZER
const void* xc_tokenizer_table_v1(void);
#endif
#if XCORE_HAS_LLM
const void* xc_llm_table_v1(void);
#endif
#if XCORE_HAS_TE
const void* xc_te_table_v1(void);
#endif
#if XCORE_HAS_THERMO
const void* xc_thermo_table_v1(void);
#endif
#if XCORE_HAS_AGENT
const void* xc_agent_table_v1(void);
#endif
#if XCORE_HAS_MONITOR
const void* xc_monitor_table_v1(void);
#endif
}

namespace {

#ifndef XCORE_VERSION
#define XCORE_VERSION "0.0.0-dev"
#endif
const char* version() { return XCORE_VERSION; }

int32_t devices(xc_device_info* out, int32_t capacity) {
  int32_t count = 0;
  xc_error ignored;
  xcore::guard(&ignored, [&] {
    const auto all = xcore::devices();
    count = static_cast<int32_t>(all.size());
    for (int32_t i = 0; i < count && i < capacity; ++i) out[i] = all[i];
  });
  return count;
}

const char* cuda_unavailable_reason() {
  try {
    return xcore::cuda_unavailable_reason().c_str();
  } catch (...) {
    return "the CUDA driver could not be asked";
  }
}

xc_status resolve_device(xc_device requested, int32_t pays, xc_device* out, xc_error* error) {
  return xcore::guard(error, [&] { *out = xcore::resolve_device(requested, pays != 0, "resolveDevice"); });
}

void set_event_listener(int32_t kind, void (*listener)(void*, const xc_event*), void* user) {
  xcore::trace::set_listener(kind, listener, user);
}

int32_t thread_count() { return xcore::thread_pool().threads(); }

xc_status set_thread_count(int32_t threads, xc_error* error) {
  return xcore::guard(error, [&] { xcore::thread_pool().set_threads(threads); });
}

const xc_core_table core_table = {
    {"core", XC_CORE_ABI, sizeof(xc_core_table)}, version, devices, cuda_unavailable_reason, resolve_device,
    set_event_listener, thread_count, set_thread_count};

struct Registered {
  const char* domain;
  uint32_t abi;
  const void* (*table)();
};
const Registered registered[] = {
    {"core", XC_CORE_ABI, [] { return static_cast<const void*>(&core_table); }},
#if XCORE_HAS_TOKENIZER
    {"tokenizer", 1, xc_tokenizer_table_v1},
#endif
#if XCORE_HAS_LLM
    {"llm", 1, xc_llm_table_v1},
#endif
#if XCORE_HAS_TE
    {"te", 1, xc_te_table_v1},
#endif
#if XCORE_HAS_THERMO
    {"thermo", 1, xc_thermo_table_v1},
#endif
#if XCORE_HAS_AGENT
    {"agent", 1, xc_agent_table_v1},
#endif
#if XCORE_HAS_MONITOR
    {"monitor", 1, xc_monitor_table_v1},
#endif
};

}  // namespace

extern "C" const void* xc_table(const char* domain, uint32_t abi) {
  for (const Registered& r : registered) {
    if (std::strcmp(r.domain, domain) == 0 && r.abi == abi) return r.table();
  }
  return nullptr;
}
