// Partition crossover of many pairs of states in bit-sliced rows: one thread a lane.
#pragma once

#include "runtime/cuda.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

class DeviceCrossover {
 public:
  // Rows are [n x row_words] words, lane l being bit l % 32 of word l / 32.
  DeviceCrossover(const Model& model, int64_t row_words, uint64_t seed, const cuda::Stream& stream);

  // energies [lanes] of all lanes, in double.
  void energies(const uint32_t* rows, double* energies);
  // Improves every lane of `rows` by the lane partner[l] of `others` (partner < 0: left alone) as PartitionCrossover does,
  // and adds the change to energies. `others` must not be `rows`. With partner == nullptr lane l meets its own number.
  void improve(uint32_t* rows, const uint32_t* others, const int32_t* partner, double* energies);
  // Lane to[k] of `rows` becomes lane from[k] of `source`, energies included; all `to` differ.
  void copy_lanes(uint32_t* rows, const uint32_t* source, double* energies, const int32_t* to, const int32_t* from, int count);

 private:
  const cuda::Stream& stream_;
  int32_t n_;
  int64_t row_words_;
  bool mirror_;
  uint64_t seed_, round_ = 0;
  cuda::Buffer<int64_t> offsets_;
  cuda::Buffer<int32_t> neighbours_;
  cuda::Buffer<double> couplings_, fields_;
  cuda::Buffer<int32_t> queue_;     // [n x lanes]
  cuda::Buffer<uint32_t> visited_;  // [ceil(n / 32) x lanes]
};

}  // namespace xcore::thermo::ising
