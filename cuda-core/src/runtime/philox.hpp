// Philox 4x32-10: counter-based random numbers, the same on CPU and GPU.
// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
// A draw is a pure function of (seed, stream, counter): give each independent thing (a replica, a row, a token) its
// own stream and results do not depend on how work was divided.
#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/host_device.hpp"

namespace xcore {

struct Philox4x32 {
  uint32_t v[4];
};

// counter: 128 bits as four words; key: the two words of the seed.
XC_HD Philox4x32 philox4x32_10(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0;
    const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// A sequential view: draw i of stream s under a seed. Copy it freely; it is 40 bytes.
class Philox {
 public:
  XC_HD explicit Philox(uint64_t seed, uint64_t stream = 0, uint64_t position = 0)
      : seed_(seed), stream_(stream), block_(position / 4), lane_(static_cast<uint32_t>(position % 4)) {
    refill();
  }
  XC_HD uint32_t next_u32() {
    if (lane_ == 4) {
      ++block_;
      lane_ = 0;
      refill();
    }
    return buffer_.v[lane_++];
  }
  XC_HD uint64_t next_u64() {
    const uint64_t low = next_u32();
    return low | (static_cast<uint64_t>(next_u32()) << 32);
  }
  // [0, 1), 53 bits.
  XC_HD double next_double() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
  // [0, 1), 24 bits.
  XC_HD float next_float() { return static_cast<float>(next_u32() >> 8) * 0x1.0p-24f; }
  // Uniform in [0, bound), bound >= 1, without modulo bias worth speaking of (bias < bound / 2^32).
  XC_HD uint32_t next_below(uint32_t bound) {
    return static_cast<uint32_t>((static_cast<uint64_t>(next_u32()) * bound) >> 32);
  }
  // Standard normal by Box-Muller; uses two draws of 53 bits and discards the sine, so that it stays stateless.
  XC_HD double next_normal() {
    const double u = 1.0 - next_double();
    const double angle = 6.283185307179586476925286766559 * next_double();
    return sqrt(-2.0 * log(u)) * cos(angle);
  }

 private:
  XC_HD void refill() {
    buffer_ = philox4x32_10(static_cast<uint32_t>(block_), static_cast<uint32_t>(block_ >> 32),
                            static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32),
                            static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32));
  }
  uint64_t seed_, stream_, block_;
  uint32_t lane_;
  Philox4x32 buffer_;
};

}  // namespace xcore
