// The bit-sliced sweep on a GPU: a block anneals `words` x 32 lanes with their spins in shared memory.
//
// Threads of a block share the spins of one colour at a time; a thread updates one word (32 lanes) of one spin and has
// a random generator of its own. The random numbers differ from the CPU's, the probabilities do not.
#pragma once

#include "thermo/ising/bitsliced/graph_cuda.hpp"

namespace xcore::thermo::ising {

inline constexpr int kSweepDigits = 16;

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

  int words() const { return graph_.words(); }
  int blocks() const { return graph_.blocks(); }
  int lanes() const { return 32 * words() * blocks(); }
  int64_t row_words() const { return graph_.row_words(); }
  // rows [(n + 1) x row_words] in device memory; the last row is the kernel's own. Runs sweeps first .. last - 1 of the schedule
  // of each block:
  // schedules [2 x length]; block b follows the first when fresh[b] is 0 and the second otherwise, which at sweep 0 also
  // starts from random spins.
  void sweep(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last, const int32_t* fresh);

 private:
  template <int planes>
  void launch(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last, const int32_t* fresh);

  const cuda::Stream& stream_;
  DeviceGraph graph_;
  cuda::Buffer<uint2> random_;     // [blocks x kSweepThreads]
};

}  // namespace xcore::thermo::ising
