// Pieces that were merged before, with their ids: a table that the kernels of all streams read and add to.
//
// An entry is written once, over zeros, by whoever claimed it. Every word of an entry tells by itself whether it has
// been written, so a reader that comes too early, or sees the words in another order than they were written in, finds
// nothing and merges: ids never depend on what was learned. The table takes what comes first and is cleared between
// batches once it is full.
#pragma once

#include "tokenizer/encode_cuda/views.hpp"

namespace xcore::tokenizer::gpu {

inline constexpr int kIdsInEntry = 4;

struct alignas(32) LearnedEntry {
  Key key;                    // high == 0: free
  uint32_t ids[kIdsInEntry];  // kNone behind the last
};

struct LearnedView {
  LearnedEntry* entries = nullptr;  // nullptr: nothing is learned
  uint32_t mask = 0;
  uint32_t* count = nullptr;
  uint32_t limit = 0;  // entries that are taken
};

inline constexpr uint32_t kWritten = 0x80000000u;  // in every id of an entry
inline constexpr int kLearnedProbes = 4;

#if defined(__CUDACC__)
// Ids of the piece into `out`; how many, or 0 when it is not known.
__device__ inline uint32_t find_learned(const LearnedView& t, const Key& key, uint32_t* out) {
  if (!t.entries || key.low == 0) return 0;  // 0 could not be told from "not yet written"
  uint32_t i = hash_of(key) & t.mask;
  for (int probe = 0; probe < kLearnedProbes; ++probe, i = (i + 1) & t.mask) {
    const auto* const words = reinterpret_cast<const uint4*>(t.entries + i);
    const uint4 k = __ldcg(words);  // from the L2 cache, where all multiprocessors meet
    const uint64_t high = static_cast<uint64_t>(k.w) << 32 | k.z;
    if (high == 0) return 0;
    if (high != key.high || (static_cast<uint64_t>(k.y) << 32 | k.x) != key.low) continue;
    const uint4 ids = __ldcg(words + 1);
    if (!(ids.x & ids.y & ids.z & ids.w & kWritten)) return 0;
    const uint32_t all[kIdsInEntry] = {ids.x & ~kWritten, ids.y & ~kWritten, ids.z & ~kWritten, ids.w & ~kWritten};
    uint32_t n = 0;
    for (; n < kIdsInEntry && all[n] != (kNone & ~kWritten); ++n) out[n] = all[n];
    return n;
  }
  return 0;
}

// Remembers 2 to kIdsInEntry ids, id(0) and on, if there is room.
template <class Id>
__device__ inline void learn(const LearnedView& t, const Key& key, uint32_t n, Id&& id) {
  if (!t.entries || key.low == 0 || n > kIdsInEntry || *reinterpret_cast<volatile uint32_t*>(t.count) >= t.limit) return;
  uint32_t i = hash_of(key) & t.mask;
  for (int probe = 0; probe < kLearnedProbes; ++probe, i = (i + 1) & t.mask) {
    LearnedEntry* const e = t.entries + i;
    static_assert(sizeof(unsigned long long) == sizeof(uint64_t), "for atomicCAS");
    const uint64_t there = atomicCAS(reinterpret_cast<unsigned long long*>(&e->key.high), 0ull, static_cast<unsigned long long>(key.high));
    if (there == 0) {
      atomicAdd(t.count, 1);
      e->key.low = key.low;
      for (uint32_t k = 0; k < kIdsInEntry; ++k) e->ids[k] = (k < n ? id(k) : kNone) | kWritten;
      return;
    }
    if (there == key.high && *reinterpret_cast<volatile uint64_t*>(&e->key.low) == key.low) return;
  }
}
#endif

}  // namespace xcore::tokenizer::gpu
