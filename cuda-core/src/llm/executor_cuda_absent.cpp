#if !XCORE_CUDA

#include "llm/executor.hpp"

namespace xcore::llm {

std::unique_ptr<Executor> make_cuda_executor(std::shared_ptr<const Model>, int) {
  throw Error(XC_DEVICE_UNAVAILABLE, cuda_unavailable_reason(), "device");
}

}  // namespace xcore::llm

#endif
