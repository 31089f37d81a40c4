// Partition crossover of many pairs of states in bit-sliced rows: one warp a lane. Large models are walked through component by
// component, the others have their components joined all at once (components_cuda.hpp).
#pragma once

#include <functional>
#include <optional>

#include "runtime/cuda.hpp"
#include "thermo/ising/crossover/components_cuda.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

class DeviceCrossover {
 public:
  struct Bond;
  using Stop = std::function<bool()>;
  // Rows are [n x row_words] words, lane l being bit l % 32 of word l / 32. Lanes form groups of `group`.
  DeviceCrossover(const Model& model, int64_t row_words, int group, uint64_t seed, const cuda::Stream& stream);

  // energies [lanes] of all lanes, in double.
  void energies(const uint32_t* rows, double* energies);
  // Improves every lane of `rows` by the same lane of `others`, as PartitionCrossover does, and adds the change to energies.
  // Lanes of large models follow each other in parts, before each of which stop is asked; once it says so (and false is
  // returned) the rest stay as they are.
  bool improve(uint32_t* rows, const uint32_t* others, double* energies, const Stop& stop);
  // The same for about `mating` of all lanes, by a random lane of the same group. `others` must not be `rows`.
  bool mate(uint32_t* rows, const uint32_t* others, float mating, double* energies, const Stop& stop);
  // Lane to[k] becomes lane from[k], energies included; all `to` differ, and no lane stands in both.
  void copy_lanes(uint32_t* rows, double* energies, const int32_t* to, const int32_t* from, int count);
  // Blocks of `words` words of each row whose flag is set become those of `source`.
  void copy_blocks(uint32_t* rows, const uint32_t* source, int words, const int32_t* flags);
  // The spins of one lane, spin i as bit i % 32 of spins[i / 32].
  void extract(const uint32_t* rows, int lane, uint32_t* spins);
  int words_a_set() const { return (n_ + 31) / 32; }

 private:
  unsigned blocks() const { return cuda::blocks_for(row_words_ * 32, warps_); }
  bool walk(uint32_t* rows, const uint32_t* others, float mating, double* energies, const Stop& stop);

  const cuda::Stream& stream_;
  int32_t n_;
  int64_t row_words_;
  int group_;
  bool mirror_;
  uint64_t seed_, round_ = 0;
  int warps_;          // a block
  size_t shared_;      // bytes a block
  cuda::Buffer<int2> ranges_;  // of each spin's bonds
  cuda::Buffer<Bond> bonds_;
  cuda::Buffer<double> fields_;
  std::optional<DeviceComponents> components_;
};

}  // namespace xcore::thermo::ising
