// xoshiro256+ (D. Blackman, S. Vigna, ACM TOMS 47, 2021), seeded by one Philox stream: a search that draws millions of
// numbers in a fixed order needs no counter, and a draw costs a nanosecond instead of ten.
#pragma once

#include "runtime/philox.hpp"

namespace xcore::thermo {

class FastRandom {
 public:
  FastRandom(uint64_t seed, uint64_t stream) {
    Philox source(seed, stream);
    for (uint64_t& s : state_) s = source.next_u64();
    state_[0] |= 1;  // not all zero
  }
  uint64_t next() {
    const uint64_t result = state_[0] + state_[3], t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = (state_[3] << 45) | (state_[3] >> 19);
    return result;
  }
  // Uniform in [0, bound), bound >= 1.
  int32_t below(int32_t bound) { return static_cast<int32_t>(((next() >> 32) * static_cast<uint64_t>(bound)) >> 32); }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_[4];
};

}  // namespace xcore::thermo
