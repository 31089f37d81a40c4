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

// One sweep's random planes, ready for the kernel.
struct DeviceSweep {
  int32_t planes;
  uint32_t odd, overflow, reserved;
  uint32_t digit[AcceptancePlanes::kMost];
};
DeviceSweep device_sweep(double beta_unit, uint32_t largest_weight);

class DeviceBitsliced {
 public:
  // `program` is the model's. `words` a block is chosen so that the spins of a block fit its shared memory; 0 lets the
  // class choose.
  DeviceBitsliced(const IntegerModel& model, const BitslicedProgram& program, int blocks, int words, uint64_t seed,
                  const cuda::Stream& stream);

  int words() const { return words_; }
  int blocks() const { return blocks_; }
  int lanes() const { return 32 * words_ * blocks_; }
  int64_t row_words() const { return static_cast<int64_t>(words_) * blocks_; }
  int colours() const { return static_cast<int>(colouring_.starts.size()) - 1; }

  // rows [(n + 1) x row_words] in device memory; the last row is the kernel's own. Runs sweeps first .. last - 1 of the schedule of each block:
  // schedules [2 x length]; block b follows the first when fresh[b] is 0 and the second otherwise, which at sweep 0 also
  // starts from random spins.
  void sweep(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last, const int32_t* fresh);

 private:
  template <int planes>
  void launch(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last, const int32_t* fresh);

  const cuda::Stream& stream_;
  Colouring colouring_;
  int32_t n_;
  int words_, blocks_;
  uint32_t largest_weight_;
  bool in_shared_;
  cuda::Buffer<int4> spins_;       // in colour order: spin, first entry, first level, levels | weight << 8
  cuda::Buffer<int2> levels_;
  cuda::Buffer<int32_t> entries_, colour_starts_;
  cuda::Buffer<uint4> random_;     // [blocks x kSweepThreads]
};

}  // namespace xcore::thermo::ising
