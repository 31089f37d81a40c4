// Which devices there are, and the one rule by which every op chooses between them.
#pragma once

#include <string>
#include <vector>

#include "runtime/error.hpp"
#include "runtime/trace.hpp"

namespace xcore {

inline constexpr xc_device kAuto{XC_DEVICE_AUTO, 0};
inline constexpr xc_device kCpu{XC_DEVICE_CPU, 0};
inline constexpr xc_device cuda_device(int index) { return {XC_DEVICE_CUDA, index}; }

// The CPU first, then the CUDA devices. Works without a driver. Memory figures are read anew on each call.
std::vector<xc_device_info> devices();

int cuda_device_count();                        // 0 without driver, device or CUDA build
const std::string& cuda_unavailable_reason();   // "" when cuda_device_count() > 0
bool built_with_cuda();

// auto: the first CUDA device when `pays` and there is one, else the CPU. cuda: checked, or a typed Error that names
// cause and remedy. `op` names the work in the fallback event, sent once when auto would have liked a GPU that a
// driver problem hides (a machine that plainly has none is a normal state and says nothing).
xc_device resolve_device(xc_device requested, bool pays, const char* op = "");

// Runs `cuda(index)` or `cpu()` by the rule above. When the choice was auto and the device fails (out of memory, lost,
// launch failure: an Error with XC_OUT_OF_MEMORY or XC_DEVICE_*), announces it once and finishes with `cpu()`.
template <class Cuda, class Cpu>
auto run_on(xc_device requested, bool pays, const char* op, Cuda&& cuda, Cpu&& cpu) -> decltype(cpu()) {
  const xc_device chosen = resolve_device(requested, pays, op);
  if (chosen.kind == XC_DEVICE_CPU) return cpu();
  try {
    return cuda(chosen.index);
  } catch (const Error& e) {
    const bool device_fault = e.status == XC_OUT_OF_MEMORY || e.status == XC_DEVICE_FAILED || e.status == XC_DEVICE_UNAVAILABLE;
    if (requested.kind != XC_DEVICE_AUTO || !device_fault) throw;
    trace::emit_fallback(op, chosen, e.what());
  }
  return cpu();
}

}  // namespace xcore
