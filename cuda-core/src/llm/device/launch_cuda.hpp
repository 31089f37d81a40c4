// Launches that overlap the end of one kernel with the start of the next (programmatic dependent launch, compute
// capability 9.0 and later; elsewhere plain launches). Every kernel launched by launch_overlapped calls let_next_start()
// and, before it touches anything an earlier kernel writes or reads, wait_for_previous(). Since a kernel does not end
// before its own wait has, waiting for the previous kernel is waiting for all earlier ones.
#pragma once

#include <cuda_runtime.h>

#include <utility>

#include "runtime/cuda.hpp"

namespace xcore::llm {

__device__ __forceinline__ void let_next_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
__device__ __forceinline__ void wait_for_previous() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Whether the current device can; XCORE_CUDA_SERIAL=1 turns it off, to look for faults.
bool launches_overlap();

// `what` as in "launch of gemv".
template <class... Parameters, class... Arguments>
void launch_overlapped(const char* what, void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared_bytes,
                       cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = launches_overlap() ? 1 : 0;
  cuda::check(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), what);
}

}  // namespace xcore::llm
