/* Domain "monitor": what the host and its GPUs are doing.
 *
 * A quantity that this machine does not give is NaN, never 0. Utilisations are 0..1. A monitor without GPUs is a normal
 * state; gpu_reason says why there are none.
 */
#ifndef XCORE_MONITOR_H
#define XCORE_MONITOR_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_MONITOR_ABI 1

typedef struct xc_monitor xc_monitor;

typedef struct xc_monitor_host {
  double cpu_utilisation; /* all cores, since the previous sample of this monitor (the first: since it was opened) */
  double load_1, load_5, load_15;
  double memory_total_bytes, memory_used_bytes; /* used: total minus what could be had without swapping */
  double process_memory_bytes;                  /* resident set of this process */
  double process_cpu;                           /* cores' worth of CPU time since the previous sample; 2.0 is two busy cores */
  double temperature_celsius;                   /* the hottest CPU sensor */
  int32_t cores;                                /* entries of the per-core utilisation */
  int32_t reserved;
} xc_monitor_host;

enum {
  XC_MONITOR_GPU_OK = 0,
  XC_MONITOR_GPU_LOST = 1,  /* fell off the bus or needs a reset; values are NaN */
  XC_MONITOR_GPU_ERROR = 2  /* the driver refuses to talk about it; values are NaN */
};

typedef struct xc_monitor_gpu {
  int32_t index;
  int32_t status;     /* XC_MONITOR_GPU_* */
  char message[128];  /* the driver's words when status is not OK */
  char name[96];
  char uuid[96];
  double utilisation;        /* share of time in which some kernel ran */
  double memory_utilisation; /* share of time in which device memory was read or written */
  double memory_total_bytes, memory_used_bytes;
  double temperature_celsius;
  double power_watts, power_limit_watts; /* power: about a one second average on most GPUs */
  double energy_joules;                  /* since the driver was loaded */
  double graphics_clock_hz, sm_clock_hz, memory_clock_hz;
  double pcie_send_bytes_per_second, pcie_receive_bytes_per_second; /* only with `slow`, else NaN */
} xc_monitor_gpu;

typedef struct xc_monitor_table {
  xc_table_header header;
  xc_status (*open)(xc_monitor** out, xc_error* error);
  void (*release)(xc_monitor* monitor);
  int32_t (*gpu_count)(const xc_monitor* monitor);
  /* Name and UUID of GPU `index` as found by open; "" when the driver did not say. False beyond gpu_count. */
  int32_t (*gpu_identity)(const xc_monitor* monitor, int32_t index, const char** name, const char** uuid);
  /* Why there are no GPUs to sample, with the remedy where there is one; "" when there are. */
  const char* (*gpu_reason)(const xc_monitor* monitor);
  const char* (*driver_version)(const xc_monitor* monitor); /* "" when unknown */
  /* Fills `host`, up to core_capacity utilisations and up to gpu_capacity GPUs. `slow` also reads what takes long
   * (PCIe rates, about 20 ms each). Calls from several threads take turns. */
  xc_status (*sample)(xc_monitor* monitor, int32_t slow, xc_monitor_host* host, double* core_utilisation,
                      int32_t core_capacity, xc_monitor_gpu* gpus, int32_t gpu_capacity, xc_error* error);
} xc_monitor_table;

#ifdef __cplusplus
}
#endif
#endif
