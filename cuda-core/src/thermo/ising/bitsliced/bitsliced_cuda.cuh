// What the bit-sliced kernels of the GPU share: random words and the counting of satisfied bonds.
#pragma once

#include <cstdint>

#include "thermo/ising/bitsliced/graph_cuda.hpp"

namespace xcore::thermo::ising {
namespace {

__device__ __forceinline__ uint32_t majority(uint32_t a, uint32_t b, uint32_t c) { return (a & b) | (c & (a | b)); }

// Multiply-with-carry, its two halves XORed (MWC64X: D. Thomas, "The MWC64X Random Number Generator", 2011; G. Marsaglia's
// multiply-with-carry, period about 2^63): one wide multiplication a word where xoshiro takes ten logical instructions,
// and random words are most of a sweep.
struct MultiplyWithCarry {
  uint32_t x, carry;
  __device__ __forceinline__ uint32_t next() {
    const uint32_t out = x ^ carry;
    const uint64_t product = static_cast<uint64_t>(x) * 4294883355u + carry;
    x = static_cast<uint32_t>(product);
    carry = static_cast<uint32_t>(product >> 32);
    return out;
  }
};

// sum += carry * 2^from.
template <int planes, int from>
__device__ __forceinline__ void ripple(uint32_t (&sum)[planes], uint32_t carry) {
#pragma unroll
  for (int j = from; j < planes; ++j) {
    const uint32_t next = sum[j] & carry;
    sum[j] ^= carry;
    carry = next;
  }
}

// The far ends of four bonds. Where a spin stands twice, as it is and turned over, the sign of a bond is part of its address.
struct Ends {
  uint32_t a, b, c, d;
};
template <class Group>
__device__ __forceinline__ Ends ends(const uint32_t* state, const Group& group) {
  const auto one = [&](int32_t entry) {
    if constexpr (sizeof(Group) == sizeof(ushort4)) {
      return state[entry];
    } else {
      const int32_t turned = entry >> 31;
      return state[entry ^ turned] ^ static_cast<uint32_t>(turned);
    }
  };
  return {one(group.x), one(group.y), one(group.z), one(group.w)};
}

// sum += 2^level * (the number of satisfied bonds), `count` groups of four; the groups of 32 spins alternate. A bond that only
// fills up leads to the spin itself and counts nothing. Most time would go by waiting for the next group and then for its spins,
// so both are on their way while one is added.
template <int planes, int level, class Group>
__device__ __forceinline__ void add_bonds(uint32_t (&sum)[planes], const uint32_t* state, const Group*& groups, int count,
                                          uint32_t self) {
  if (count == 0) return;
  Ends now = ends(state, __ldg(groups));
  Group ahead = __ldg(groups + kSliceSpins);  // beyond the last is something else, which is not used
  for (int left = count; left > 0; --left) {
    groups += kSliceSpins;
    Ends next = now;
    if (left > 1) next = ends(state, ahead);
    ahead = __ldg(groups + kSliceSpins);
    const uint32_t a = now.a ^ self, b = now.b ^ self, c = now.c ^ self, d = now.d ^ self;
    const uint32_t low = majority(sum[level], a, b);
    sum[level] ^= a ^ b;
    const uint32_t high = majority(sum[level], c, d);
    sum[level] ^= c ^ d;
    if constexpr (level + 1 < planes) {
      const uint32_t carry = majority(sum[level + 1], low, high);
      sum[level + 1] ^= low ^ high;
      ripple<planes, level + 2>(sum, carry);
    }
    now = next;
  }
}

// The bonds of level 1 and up follow those of level 0, each level behind a group with its count.
template <int planes, int level, class Group>
__device__ __forceinline__ void add_levels(uint32_t (&sum)[planes], const uint32_t* state, const Group*& groups, int count,
                                           int levels, uint32_t self) {
  add_bonds<planes, level>(sum, state, groups, count, self);
  if constexpr (level + 1 < planes) {
    if (level + 1 >= levels) return;
    const int next = __ldg(groups).x;
    groups += kSliceSpins;
    add_levels<planes, level + 1>(sum, state, groups, next, levels, self);
  }
}

}  // namespace
}  // namespace xcore::thermo::ising
