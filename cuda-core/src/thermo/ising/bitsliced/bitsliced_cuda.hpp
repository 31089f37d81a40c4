// The bit-sliced sweep on a GPU: a block anneals `words` x 32 lanes with their spins in shared memory.
//
// Threads of a block share the spins of one colour at a time; a thread updates one word (32 lanes) of one spin and has
// a random generator of its own. The random numbers differ from the CPU's, the probabilities do not.
#pragma once

#include "runtime/cuda.hpp"
#include "thermo/ising/bitsliced/bitsliced.hpp"
#include "thermo/ising/bitsliced/colouring.hpp"

namespace xcore::thermo::ising {

inline constexpr int kSweepThreads = 1024;
inline constexpr int kSweepDigits = 16;
inline constexpr int kSliceSpins = 32;

// One sweep's random planes, ready for the kernel: probabilities of the digits 1, 2, ... of G, of its digit 0, and of
// those beyond. The lowest 4 * skipped of the kSweepDigits binary digits of each are 0 and draw nothing.
struct DeviceSweep {
  static constexpr int kOdd = AcceptancePlanes::kMost, kOverflow = kOdd + 1, kProbabilities = kOverflow + 1;
  uint32_t probability[kProbabilities];
  int32_t planes, skipped;
};
// digits: 4, 8, 12 or 16, the resolution of the probabilities.
DeviceSweep device_sweep(double beta_unit, uint32_t largest_weight, int digits = kSweepDigits);

class DeviceBitsliced {
 public:
  // `program` is the model's. `words` a block is chosen so that the spins of a block fit its shared memory; 0 lets the
  // class choose, for short sweeps rather than for many lanes.
  DeviceBitsliced(const IntegerModel& model, const BitslicedProgram& program, int blocks, int words, uint64_t seed,
                  const cuda::Stream& stream);

  int words() const { return words_; }
  int blocks() const { return blocks_; }
  int lanes() const { return 32 * words_ * blocks_; }
  int64_t row_words() const { return static_cast<int64_t>(words_) * blocks_; }
  // rows [(n + 1) x row_words] in device memory; the last row is the kernel's own. Runs sweeps first .. last - 1 of the schedule
  // of each block:
  // schedules [2 x length]; block b follows the first when fresh[b] is 0 and the second otherwise, which at sweep 0 also
  // starts from random spins.
  void sweep(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last, const int32_t* fresh);

 private:
  template <int planes>
  void launch(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last, const int32_t* fresh);

  const cuda::Stream& stream_;
  int32_t n_;
  int words_, blocks_, colours_ = 0;
  uint32_t largest_weight_;
  bool in_shared_ = true;
  size_t shared_bytes_ = 0;
  int32_t turned_offset_ = 0;      // words from a spin to its turned copy; 0: there is none
  cuda::Buffer<int4> spins_;
  cuda::Buffer<ushort4> near_groups_;  // bonds to spins in shared memory
  cuda::Buffer<int4> far_groups_;      // bonds to spins in global memory
  cuda::Buffer<int32_t> colour_starts_;
  cuda::Buffer<uint2> random_;     // [blocks x kSweepThreads]
};

}  // namespace xcore::thermo::ising
