// Merging many short sequences side by side, shared by the instruction sets. A merge waits for the table of pairs at every
// step; here each sequence takes one step in turn, and what a step asks for is on its way while the others take theirs.
// Nothing branches on where a merge is or whether a pair is there, since neither can be predicted.
//
// An Isa provides
//   Vector, kLanes                                   of 32-bit words
//   load, store, min, lowest(Vector)                 lowest: the smallest lane, unsigned
//   equal(Vector, x)                                 one bit a lane
//   from(a, b, first, at), put(a, first, at, x)      lanes are numbered from `first` on: those from `at` on of b, the others of
//                                                    a; the one numbered `at` becomes x
//   find(slots of a line, key)                       a MergeTables::Found
#pragma once

#include <algorithm>

#include "tokenizer/merge/merge_tables.hpp"

namespace xcore::tokenizer {

template <class Isa>
class MergeMany {
 public:
  explicit MergeMany(const MergeTables& tables) : tables_(tables) {}

  void run(MergeJob* jobs, size_t count) {
    constexpr size_t kTogether = 32;
    MergeJob* active[kTogether];
    for (size_t begin = 0; begin < count; begin += kTogether) {
      size_t n = 0;
      for (size_t i = begin; i < std::min(count, begin + kTogether); ++i) n += start(*(active[n] = jobs + i));
      while (n > 0) {
        for (size_t k = 0; k < n; ++k) join(*active[k]);
        size_t left = 0;
        for (size_t k = 0; k < n; ++k) {
          MergeJob* const job = active[k];
          active[left] = job;
          left += rank_neighbours(*job);
        }
        n = left;
      }
    }
  }

 private:
  using Vector = typename Isa::Vector;
  static constexpr uint32_t kHalf = MergeJob::kMost / 2;

  // These return whether there is a merge left.
  bool start(MergeJob& job) {
    job.lanes = job.count > kHalf ? 2 * kHalf : kHalf;
    std::fill(job.ranks + job.count - 1, job.ranks + job.lanes + 1, kNoRank);
    Vector lowest = Isa::load(job.ranks);
    for (uint32_t i = Isa::kLanes; i < job.lanes; i += Isa::kLanes) lowest = Isa::min(lowest, Isa::load(job.ranks + i));
    return choose(job, lowest);
  }

  // The two symbols of the pair become one, and the slots of the pairs it is in now are asked for.
  void join(MergeJob& job) {
    const uint32_t joined = tables_.joined(job.lowest), at = job.at;
    const uint32_t right = job.symbols[at + 2], left = job.symbols[at - (at > 0)];
    --job.count;
    // Where there is no neighbour on a side the pair of the other side is asked for, and not used.
    const uint64_t with_left = MergeTables::key(left, joined), with_right = MergeTables::key(joined, right);
    job.right = at + 1 < job.count ? with_right : with_left;
    job.left = at > 0 ? with_left : job.right;
    job.right_line = tables_.line(job.right);
    job.left_line = tables_.line(job.left);
    __builtin_prefetch(job.right_line);
    __builtin_prefetch(job.left_line);
    for (uint32_t i = 0; i < job.lanes; i += Isa::kLanes) {
      const Vector s = Isa::from(Isa::load(job.symbols + i), Isa::load(job.symbols + i + 1), i, at + 1);
      Isa::store(job.symbols + i, Isa::put(s, i, at, joined));
    }
  }

  bool rank_neighbours(MergeJob& job) {
    const uint32_t at = job.at;
    uint32_t right = rank(job.right_line, job.right);
    const uint32_t left = rank(job.left_line, job.left);
    right = at + 1 < job.count ? right : kNoRank;
    // At the left end there is no place for the left one: it is put over the right one, and that over it.
    Vector lowest{};
    for (uint32_t i = 0; i < job.lanes; i += Isa::kLanes) {
      Vector r = Isa::from(Isa::load(job.ranks + i), Isa::load(job.ranks + i + 1), i, at);
      r = Isa::put(Isa::put(r, i, at - (at > 0), left), i, at, right);
      Isa::store(job.ranks + i, r);
      lowest = i == 0 ? r : Isa::min(lowest, r);
    }
    return choose(job, lowest);
  }

  bool choose(MergeJob& job, Vector lowest) {
    job.lowest = Isa::lowest(lowest);
    uint32_t places = 0;
    for (uint32_t i = 0; i < job.lanes; i += Isa::kLanes) places |= Isa::equal(Isa::load(job.ranks + i), job.lowest) << i;
    job.at = static_cast<uint32_t>(__builtin_ctz(places));
    const bool more = job.lowest != kNoRank;
    tables_.prefetch_joined(more ? job.lowest : 0);
    return more;
  }

  uint32_t rank(const uint64_t* line, uint64_t key) const {
    const auto found = Isa::find(line, key);
    return __builtin_expect(found.elsewhere, 0) ? tables_.rank(key) : found.rank;
  }

  const MergeTables& tables_;
};

}  // namespace xcore::tokenizer
