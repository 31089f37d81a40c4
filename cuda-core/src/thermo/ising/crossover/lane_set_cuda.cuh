// One lane of bit-sliced rows as a set of spins, 32 a word: what the warps of the crossovers work on.
#pragma once

#include <cstdint>

namespace xcore::thermo::ising {

inline constexpr unsigned kAllLanes = 0xFFFFFFFFu;

__device__ __forceinline__ bool in_set(const uint32_t* set, int32_t i) { return set[i >> 5] >> (i & 31) & 1u; }

// The warp reads 32 rows at a time and votes. Some reads are under way at once, since each of them waits for L2.
__device__ __forceinline__ void gather_lane(const uint32_t* __restrict__ rows, int64_t row_words, int64_t lane, int32_t n,
                                            uint32_t* set) {
  constexpr int kAhead = 8;
  const int t = threadIdx.x & 31;
  const uint32_t* const column = rows + lane / 32;
  for (int32_t base = 0; base < n; base += 32 * kAhead) {
    uint32_t word[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const int32_t i = base + 32 * k + t;
      word[k] = i < n ? column[i * row_words] : 0;
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const uint32_t vote = __ballot_sync(kAllLanes, word[k] >> (lane & 31) & 1u);
      if (t == 0 && base + 32 * k < n) set[(base >> 5) + k] = vote;
    }
  }
  __syncwarp();
}

}  // namespace xcore::thermo::ising
