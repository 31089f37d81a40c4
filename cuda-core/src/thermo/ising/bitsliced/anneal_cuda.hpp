// The CUDA side of anneal.hpp.
#pragma once

#include "thermo/ising/bitsliced/anneal.hpp"

namespace xcore::thermo::ising {

ReplicaRows anneal_cuda(const IntegerModel& model, const std::vector<double>& betas, int64_t replicas, uint64_t seed,
                        int device, const Control& control);

}  // namespace xcore::thermo::ising
