// A model as the bit-sliced kernels of the GPU read it: spins colour by colour, bonds in groups of four.
//
// A block of threads holds `words` x 32 lanes, in shared memory where they fit; a thread updates one word of one spin of the
// colour at hand.
#pragma once

#include <type_traits>

#include "runtime/cuda.hpp"
#include "thermo/ising/bitsliced/bitsliced.hpp"
#include "thermo/ising/bitsliced/colouring.hpp"

namespace xcore::thermo::ising {

inline constexpr int kSweepThreads = 1024;
inline constexpr int kSliceSpins = 32;

template <class Group>
struct GraphView {
  static constexpr bool in_shared = std::is_same_v<Group, ushort4>;  // the spins of a block, else in global memory
  int32_t n, turned_offset;  // words from a spin to its turned copy in shared memory; 0: there is none
  int words, colours;
  int64_t row_words;         // of all blocks
  const int4* spins;         // row, first group, groups of level 0, levels | weight << 8; row -1 fills up a slice
  const Group* groups;
  const int32_t* colour_starts;  // [colours + 1]
  const int32_t* fields;         // of the spins in their order here, in units
};

class DeviceGraph {
 public:
  // Of the blocks of threads. A block holds a power of two of words, at most kLaneWords, as many as fit.
  struct Shape {
    int blocks;                  // 0: as many as `replica_words` take
    int words;                   // a block; 0: as few as keep its threads busy, so that a sweep takes little time
    int64_t replica_words = 0;   // with blocks = 0: at least so many words in all, in one wave of blocks if they fit
    size_t bytes_a_word = 0;     // of shared memory that the kernel wants beside the spins
  };
  DeviceGraph(const IntegerModel& model, const BitslicedProgram& program, const Shape& shape, const cuda::Stream& stream);

  int blocks() const { return blocks_; }
  int words() const { return words_; }
  int64_t row_words() const { return static_cast<int64_t>(words_) * blocks_; }
  bool in_shared() const { return in_shared_; }
  size_t shared_bytes() const { return shared_bytes_; }  // of the spins
  const ushort4* near_groups() const { return near_groups_.data(); }
  const int4* far_groups() const { return far_groups_.data(); }
  template <class Group>
  GraphView<Group> view(const Group* groups) const {
    return {n_, turned_offset_, words_, colours_, row_words(), spins_.data(), groups, colour_starts_.data(), fields_.data()};
  }
  // f(std::integral_constant<int, planes>) with room for every weight A.
  template <class F>
  void with_planes(F&& f) const {
    if (largest_weight_ < 1 << 4) {
      f(std::integral_constant<int, 4>());
    } else if (largest_weight_ < 1 << 6) {
      f(std::integral_constant<int, 6>());
    } else if (largest_weight_ < 1 << 8) {
      f(std::integral_constant<int, 8>());
    } else {
      f(std::integral_constant<int, 16>());
    }
  }

 private:
  int32_t n_;
  int blocks_, words_, colours_ = 0;
  uint32_t largest_weight_;
  bool in_shared_ = true;
  size_t shared_bytes_ = 0;
  int32_t turned_offset_ = 0;
  cuda::Buffer<int4> spins_;
  cuda::Buffer<ushort4> near_groups_;  // bonds to spins in shared memory
  cuda::Buffer<int4> far_groups_;      // bonds to spins in global memory
  cuda::Buffer<int32_t> colour_starts_, fields_;
};

// A random generator a thread [blocks x kSweepThreads].
void seed_threads(uint64_t seed, cuda::Buffer<uint2>& random, const cuda::Stream& stream);

}  // namespace xcore::thermo::ising
