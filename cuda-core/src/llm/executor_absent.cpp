// Stands for executor_cuda.cu in a build without CUDA.
#if !XCORE_CUDA
#include "llm/executor.hpp"

namespace xcore::llm {

std::unique_ptr<Executor> make_cuda_executor(std::shared_ptr<const Model>, int device) {
  throw error(XC_DEVICE_UNAVAILABLE, "device", -1, "cuda:%d cannot be used: %s", device, cuda_unavailable_reason().c_str());
}

}  // namespace xcore::llm
#endif
