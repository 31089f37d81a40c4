#if !XCORE_CUDA
#include <unistd.h>

#include "runtime/cuda_query.hpp"

namespace xcore::cuda_query {

const Status& status() {
  static const Status s = [] {
    Status out;
    out.gpu_present = access("/dev/nvidiactl", F_OK) == 0;
    out.reason =
        "this build of the core has no CUDA code. Install the CUDA toolkit (nvcc) and rebuild with "
        "`npx x-build @x/cuda-core`, or install a prebuilt @x/cuda-core platform package.";
    return out;
  }();
  return s;
}

std::vector<xc_device_info> devices() { return {}; }

}  // namespace xcore::cuda_query
#endif
