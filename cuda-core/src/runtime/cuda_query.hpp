// What the CUDA driver says of this machine. Implemented by cuda_query.cu, or by cuda_absent.cpp in a build without
// nvcc: the only pair of files that stand for each other.
#pragma once

#include <string>
#include <vector>

#include "xcore/core.h"

namespace xcore::cuda_query {

struct Status {
  int count = 0;
  bool gpu_present = false;  // the kernel shows an NVIDIA device, usable or not
  std::string reason;        // why count is 0, with the remedy; "" otherwise
};
// Asked once.
const Status& status();
std::vector<xc_device_info> devices();

}  // namespace xcore::cuda_query
