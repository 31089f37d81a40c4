#include "thermo/ising/ground_state/selection_cuda.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/philox.hpp"

namespace xcore::thermo::ising {

namespace {

// Lanes of a population of this size that give way.
__host__ __device__ int replaced_of(int replaced, int size) {
  const int share = replaced * size / DeviceSelection::kMostLanes;
  return share < size / 2 ? share : size / 2;
}

// One block a population, one thread a lane: the lanes sorted from the worst to the best (K. Batcher's bitonic network).
__global__ void __launch_bounds__(DeviceSelection::kMostLanes)
    select_kernel(DeviceSelection::Plan plan, uint64_t round, const double* __restrict__ energies, int32_t* __restrict__ to,
                  int32_t* __restrict__ from, int32_t* __restrict__ fresh, int32_t* __restrict__ stagnant,
                  double* __restrict__ era_best, DeviceSelection::Population* __restrict__ best) {
  constexpr int kLanes = DeviceSelection::kMostLanes;
  __shared__ double energy[kLanes];
  __shared__ int32_t lane[kLanes];
  __shared__ bool starts_anew;
  const int t = threadIdx.x, base = blockIdx.x * plan.group, size = min(plan.group, plan.lanes - base);
  energy[t] = t < size ? energies[base + t] : -INFINITY;  // what fills up goes last
  lane[t] = t < size ? base + t : INT32_MAX;
  __syncthreads();
  for (int length = 2; length <= kLanes; length *= 2)
    for (int step = length / 2; step > 0; step /= 2) {
      const int other = t ^ step;
      if (other > t) {
        const bool worse_first = (t & length) == 0;
        const bool worse = energy[t] != energy[other] ? energy[t] > energy[other] : lane[t] < lane[other];
        if (worse != worse_first) {
          const double e = energy[t];
          energy[t] = energy[other];
          energy[other] = e;
          const int32_t l = lane[t];
          lane[t] = lane[other];
          lane[other] = l;
        }
      }
      __syncthreads();
    }
  const int replaced = replaced_of(plan.replaced, size), first = blockIdx.x * replaced_of(plan.replaced, plan.group);
  if (t < replaced) {
    Philox random(plan.seed, static_cast<uint64_t>(lane[t]) | uint64_t{7} << 60, round << 2);
    to[first + t] = lane[t];
    from[first + t] = lane[size / 2 + random.next_below(static_cast<uint32_t>(size - size / 2))];
  }
  if (t == 0) {
    const double least = energy[size - 1];
    starts_anew = false;
    if (least < era_best[blockIdx.x]) {
      era_best[blockIdx.x] = least;
      stagnant[blockIdx.x] = 0;
    } else if (++stagnant[blockIdx.x] >= plan.patience) {
      era_best[blockIdx.x] = INFINITY;
      stagnant[blockIdx.x] = 0;
      starts_anew = true;
    }
    best[blockIdx.x] = {least, lane[size - 1], starts_anew};
  }
  __syncthreads();
  const int last_block = (base + size) / plan.lanes_a_block;
  for (int b = base / plan.lanes_a_block + t; b < last_block; b += blockDim.x) fresh[b] = starts_anew;
}

}  // namespace

DeviceSelection::DeviceSelection(const Plan& plan, const cuda::Stream& stream)
    : plan_(plan), stream_(stream), populations_((plan.lanes + plan.group - 1) / plan.group), to_(plan.lanes, stream),
      from_(plan.lanes, stream), fresh_(plan.lanes / plan.lanes_a_block, stream), stagnant_(populations_, stream),
      era_best_(populations_, stream), populations_best_(populations_, stream), host_(populations_) {
  const int last = plan.lanes - (populations_ - 1) * plan.group;
  copies_ = (populations_ - 1) * replaced_of(plan.replaced, plan.group) + replaced_of(plan.replaced, last);
  const std::vector<int32_t> ones(fresh_.size(), 1);
  const std::vector<double> infinite(populations_, INFINITY);
  fresh_.upload(ones.data(), ones.size());
  era_best_.upload(infinite.data(), infinite.size());
  XC_CUDA(cudaMemsetAsync(stagnant_.data(), 0, stagnant_.size() * sizeof(int32_t), stream_.get()));
  std::fill(host_.data(), host_.data() + host_.size(), Population{INFINITY, 0, 1});
  stream_.synchronize();  // the host copies end here
}

void DeviceSelection::select(const double* energies) {
  select_kernel<<<static_cast<unsigned>(populations_), kMostLanes, 0, stream_.get()>>>(
      plan_, round_++, energies, to_.data(), from_.data(), fresh_.data(), stagnant_.data(), era_best_.data(),
      populations_best_.data());
  XC_CUDA_LAUNCHED("thermo.select_lineages");
  populations_best_.download(host_.data(), host_.size());
}

bool DeviceSelection::any_fresh() const {
  return std::any_of(begin(), end(), [](const Population& p) { return p.fresh != 0; });
}

}  // namespace xcore::thermo::ising
