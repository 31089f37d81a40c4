// What a population of population.hpp decides after each round, on the GPU: which lineages give way to which, and whether the
// population starts anew. The host reads a few numbers a population and nothing else.
#pragma once

#include "runtime/cuda.hpp"

namespace xcore::thermo::ising {

class DeviceSelection {
 public:
  static constexpr int kMostLanes = 512;  // a population
  struct Population {
    double energy;  // of its best lane
    int32_t lane, fresh;
  };
  struct Plan {
    int lanes, group;    // of all populations; of one
    int replaced;        // of kMostLanes lanes
    int patience;        // rounds without improvement before a population starts anew
    int lanes_a_block;   // of the annealer, whole blocks to a population
    uint64_t seed;
  };
  DeviceSelection(const Plan& plan, const cuda::Stream& stream);

  // From the energies [lanes]: lane to()[k] is to become lane from()[k], for k below copies(), and fresh() is set for the blocks
  // of populations that start anew.
  void select(const double* energies);
  const int32_t* to() const { return to_.data(); }
  const int32_t* from() const { return from_.data(); }
  int copies() const { return copies_; }
  // [blocks of the annealer]; 1 for all until the first selection.
  const int32_t* fresh() const { return fresh_.data(); }
  // Of the last selection, once the stream has passed it.
  const Population* begin() const { return host_.data(); }
  const Population* end() const { return host_.data() + host_.size(); }
  bool any_fresh() const;

 private:
  const Plan plan_;
  const cuda::Stream& stream_;
  int populations_, copies_ = 0;
  uint64_t round_ = 0;
  cuda::Buffer<int32_t> to_, from_, fresh_, stagnant_;
  cuda::Buffer<double> era_best_;
  cuda::Buffer<Population> populations_best_;
  cuda::PinnedBuffer<Population> host_;
};

}  // namespace xcore::thermo::ising
