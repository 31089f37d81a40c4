// Bit-sliced sweeps on a GPU with a temperature a lane, and the sums over spins that samplers ask for after them.
#pragma once

#include <vector>

#include "thermo/ising/bitsliced/graph_cuda.hpp"

namespace xcore::thermo::ising {

class DeviceLaneSampler {
 public:
  // `program` is the model's; at least replica_words words of lanes.
  DeviceLaneSampler(const IntegerModel& model, const BitslicedProgram& program, int64_t replica_words, uint64_t seed,
                    const cuda::Stream& stream);

  int64_t row_words() const { return graph_.row_words(); }
  int64_t lanes() const { return 32 * row_words(); }
  void set_betas(const std::vector<double>& betas);

  // Everything in device memory.
  struct Lanes {
    uint32_t* rows;       // [(n + 1) x row_words]; the last row is the kernel's own
    uint32_t* before;     // [n x row_words], for the spins before the last sweep
    const int32_t* slot;  // [count], of the betas; lanes from `count` on follow the last
    int64_t count;
    int32_t* totals;      // [3 x lanes]: satisfied weight of all bonds (twice) and fields (twice), spins up, spins that the
                          // last sweep changed
  };
  // `finish` says that the totals are wanted, and lanes at beta = 0 random spins.
  void sweep(const Lanes& lanes, int sweeps, bool finish);

 private:
  const cuda::Stream& stream_;
  const double unit_;
  const uint32_t largest_weight_;
  const int most_probabilities_;
  DeviceGraph graph_;
  cuda::Buffer<uint2> random_;
  int probabilities_ = 2;           // a slot: of the digits 1, 2, ... of G, of its digit 0, of those beyond
  cuda::Buffer<uint32_t> table_;    // [slots x probabilities]
  cuda::Buffer<uint8_t> hot_;       // [slots], beta = 0
};

}  // namespace xcore::thermo::ising
