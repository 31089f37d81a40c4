// Merging many short sequences side by side, shared by the instruction sets. A merge waits for the table of pairs at every
// step; here each sequence takes one step in turn, and what a step asks for is on its way while the others take theirs. One
// that is done makes room for the next. Nothing branches on where a merge is or whether a pair is there, since neither can
// be predicted.
//
// An Isa provides
//   Vector, kLanes                                   of 32-bit words
//   all(x), load, store, min, lowest(Vector)         lowest: the smallest lane, unsigned
//   equal(Vector, x)                                 one bit a lane
//   from(a, b, first, at), put(a, first, at, x)      lanes are numbered from `first` on: those from `at` on of b, the others of
//                                                    a; the one numbered `at` (-1 for none) becomes x
//   find(slots of a line, key)                       a MergeTables::Found
#pragma once

#include <algorithm>

#include "tokenizer/merge/merge_tables.hpp"

namespace xcore::tokenizer {

template <class Isa>
class MergeMany {
 public:
  explicit MergeMany(const MergeTables& tables) : tables_(tables), lines_(tables.lines()) {}

  void run(MergeJob* jobs, size_t count) {
    constexpr uint32_t kHalf = MergeJob::kMost / 2;
    MergeJob* wide[kTogether];
    size_t held = 0;
    const auto run_wide = [&] {
      run<2 * kHalf>([&, next = size_t{0}]() mutable { return next < held ? wide[next++] : nullptr; });
      held = 0;
    };
    run<kHalf>([&, next = size_t{0}]() mutable -> MergeJob* {
      for (; next < count; ++next) {
        if (jobs[next].count <= kHalf) return jobs + next++;
        if (held == kTogether) run_wide();
        wide[held++] = jobs + next;
      }
      return nullptr;
    });
    run_wide();
  }

 private:
  using Vector = typename Isa::Vector;
  static constexpr size_t kTogether = 32;
  // Beside the first and the last symbol: no pair has it, so that they need not be told from the others.
  static constexpr uint32_t kNobody = MergeTables::kMaxSymbols;

  // Sequences of up to kWords symbols. next: called for one more; nullptr when there is none.
  template <uint32_t kWords, class Next>
  void run(Next&& next) {
    MergeJob* active[kTogether];
    size_t n = 0;
    for (bool more = true;;) {
      while (more && n < kTogether) {
        MergeJob* const job = next();
        more = job != nullptr;
        if (more) n += start<kWords>(*(active[n] = job));
      }
      if (n == 0) return;
      for (size_t k = 0; k < n; ++k) join<kWords>(*active[k]);
      size_t left = 0;
      for (size_t k = 0; k < n; ++k) {
        MergeJob* const job = active[k];
        active[left] = job;
        left += rank_neighbours<kWords>(*job);
      }
      n = left;
    }
  }

  // These return whether there is a merge left.
  template <uint32_t kWords>
  bool start(MergeJob& job) {
    Vector ranks[kWords / Isa::kLanes];
    for (uint32_t i = 0; i < kWords; i += Isa::kLanes) {
      Isa::store(job.symbols + i, Isa::from(Isa::load(job.symbols + i), Isa::all(kNobody), i, job.count));
      const Vector r = ranks[i / Isa::kLanes] = Isa::from(Isa::load(job.ranks + i), Isa::all(kNoRank), i, job.count - 1);
      Isa::store(job.ranks + i, r);
    }
    job.symbols[kWords] = kNobody;
    job.ranks[kWords] = kNoRank;
    return choose<kWords>(job, ranks);
  }

  // The two symbols of the pair become one, and the slots of the pairs it is in now are asked for.
  template <uint32_t kWords>
  void join(MergeJob& job) {
    const uint32_t joined = tables_.joined(job.lowest), at = job.at;
    const uint32_t right = job.symbols[at + 2], before = job.symbols[at - (at > 0)], left = at > 0 ? before : kNobody;
    --job.count;
    job.right = MergeTables::key(joined, right);
    job.left = MergeTables::key(left, joined);
    job.right_line = lines_.line(job.right);
    job.left_line = lines_.line(job.left);
    __builtin_prefetch(job.right_line);
    __builtin_prefetch(job.left_line);
    for (uint32_t i = 0; i < kWords; i += Isa::kLanes) {
      const Vector s = Isa::from(Isa::load(job.symbols + i), Isa::load(job.symbols + i + 1), i, at + 1);
      Isa::store(job.symbols + i, Isa::put(s, i, static_cast<int>(at), joined));
    }
  }

  template <uint32_t kWords>
  bool rank_neighbours(MergeJob& job) {
    const auto at = static_cast<int>(job.at);
    const uint32_t right = rank(job.right_line, job.right), left = rank(job.left_line, job.left);
    Vector ranks[kWords / Isa::kLanes];
    for (uint32_t i = 0; i < kWords; i += Isa::kLanes) {
      const Vector r = Isa::from(Isa::load(job.ranks + i), Isa::load(job.ranks + i + 1), i, job.at);
      ranks[i / Isa::kLanes] = Isa::put(Isa::put(r, i, at, right), i, at - 1, left);
    }
    for (uint32_t i = 0; i < kWords; i += Isa::kLanes) Isa::store(job.ranks + i, ranks[i / Isa::kLanes]);
    return choose<kWords>(job, ranks);
  }

  template <uint32_t kWords>
  bool choose(MergeJob& job, const Vector* ranks) {
    Vector lowest = ranks[0];
    for (uint32_t i = 1; i < kWords / Isa::kLanes; ++i) lowest = Isa::min(lowest, ranks[i]);
    job.lowest = Isa::lowest(lowest);
    uint32_t places = 0;
    for (uint32_t i = 0; i < kWords / Isa::kLanes; ++i) places |= Isa::equal(ranks[i], job.lowest) << (i * Isa::kLanes);
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
  const MergeTables::Lines lines_;
};

}  // namespace xcore::tokenizer
