// The pair table of a model packed for speed, and merging with it: the same result as merge() on the PairTable it is
// made from.
#pragma once

#include "tokenizer/flat.hpp"
#include "tokenizer/merge/merge.hpp"
#include "tokenizer/vocabulary.hpp"

namespace xcore::tokenizer {

// A short sequence to merge: symbols[0..count) and the ranks of neighbours, ranks[0..count - 1).
struct MergeJob {
  static constexpr uint32_t kMost = 32;  // symbols
  alignas(64) uint32_t symbols[kMost + 16];  // beyond kMost they may be read, but do not count
  uint32_t ranks[kMost + 16];
  uint32_t count;
  // Used while it runs: the next merge, and the pairs that the last one made (as keys) with their lines.
  uint32_t at, lowest;
  uint64_t left, right;
  const uint64_t *left_line, *right_line;
};

// The pairs of a table by rank.
Large<PairTable::Entry> by_rank(const PairTable& pairs);

class MergeTables {
 public:
  MergeTables() = default;
  // byte_token: the 256 symbols that pieces of bytes start from (kNoId where there is none), or nullptr.
  MergeTables(const PairTable& pairs, const uint32_t* byte_token);
  // From pairs by rank. Of a pair that comes twice the first counts, or the last; the others are taken out of the list.
  MergeTables(Large<PairTable::Entry>& pairs, bool last_counts, const uint32_t* byte_token);
  // For tables that are used while they grow: room for so many pairs, of ranks below `ranks`, and one pair more, which is
  // not there yet. Symbols are below kMaxSymbols, ranks below kMaxRanks.
  void reserve(size_t pairs, uint32_t ranks);
  void insert(uint32_t left, uint32_t right, uint32_t rank, uint32_t joined);

  // False when the pairs do not fit the packed form (ids of 2^20 - 1 or ranks of 2^24 and more, one rank for different
  // joined symbols): merge with the PairTable then.
  bool packed() const { return !slots_.empty(); }

  // No pair ranks below the pairs that its parts come from.
  bool monotone() const { return monotone_; }

  uint32_t rank(uint32_t left, uint32_t right) const { return rank(key(left, right)); }
  bool has_byte_ranks() const { return !byte_ranks_.empty(); }
  size_t size() const {
    size_t used = 0;
    for (size_t i = 0; i < slots_.size(); ++i) used += slots_[i] != kFree;
    return used;
  }
  // The pairs, as they were given.
  template <class F>
  void each(F&& use) const {
    for (size_t i = 0; i < slots_.size(); ++i) {
      const uint64_t slot = slots_[i];
      if (slot == kFree) continue;
      const auto rank = static_cast<uint32_t>(slot & kRankMask);
      use(PairTable::Entry{static_cast<uint32_t>(slot >> 44), static_cast<uint32_t>(slot >> 24) & kMaxSymbols, rank, joined_[rank]});
    }
  }
  uint32_t joined(uint32_t rank) const { return counted() ? rank + first_joined_ : joined_[rank]; }
  // Ranks make consecutive symbols, as training numbers them: joined() asks no table.
  bool counted() const { return first_joined_ != kNoId; }
  void prefetch_rank(uint32_t left, uint32_t right) const { __builtin_prefetch(slots_.data() + first(key(left, right))); }

  // The table itself, for code that compares a line of eight slots at once. A pair is in the first line that was not full when
  // it came, so where a line has a free slot and not the pair, the pair is nowhere.
  static constexpr size_t kLine = 8;
  static constexpr int kRankBits = 24;  // the lower bits of a slot; its key is above
  static uint64_t key(uint32_t left, uint32_t right) { return static_cast<uint64_t>(left) << 20 | right; }
  struct Found {
    uint32_t rank;   // kNoRank when absent
    bool elsewhere;  // the line is full of others
  };
  // Where they are, as a value of its own.
  struct Lines {
    const uint64_t *slots, *filter;
    uint64_t first_of_line;  // the bits of a slot's number that its line has
    int shift;
    // The line where the pair may be; for most of the pairs that are absent a free one, so that memory is not asked for them.
    const uint64_t* line(uint64_t key) const {
      const uint64_t h = key * kMultiplier, bit = h >> (shift - kFilterBits);
      const auto none = reinterpret_cast<uintptr_t>(kFreeLine), there = reinterpret_cast<uintptr_t>(slots + (h >> shift & first_of_line));
      const uintptr_t may_be = 0 - (filter[bit >> 6] >> (bit & 63) & 1);
      return reinterpret_cast<const uint64_t*>(none ^ ((none ^ there) & may_be));
    }
  };
  Lines lines() const { return {slots_.data(), filter_.data(), ~uint64_t{kLine - 1}, shift_}; }
  uint32_t rank(uint64_t key) const {
    const size_t i = place(key);
    // First: two unknown symbols side by side have the key of a free slot.
    return slots_[i] == kFree ? kNoRank : static_cast<uint32_t>(slots_[i] & kRankMask);
  }
  void prefetch_joined(uint32_t rank) const {
    if (!counted()) __builtin_prefetch(joined_.data() + rank);
  }
  // Of neighbouring byte symbols.
  uint32_t byte_rank(uint8_t left, uint8_t right) const { return byte_ranks_[static_cast<size_t>(left) << 8 | right]; }

  // Merges ids[0..count) in place and returns the new count. For long sequences linear but for sorting, and for pairs of lower
  // rank than those that they come of.
  size_t merge(uint32_t* ids, size_t count, MergeScratch& scratch) const;
  // The part of it for long sequences; right for all.
  size_t merge_long(uint32_t* ids, size_t count, MergeScratch& scratch) const;

  // Symbols that are asked for must be below this. (2^20 - 1 twice would be the key of a free slot.)
  static constexpr uint32_t kMaxSymbols = (1u << 20) - 1;
  static constexpr uint32_t kMaxRanks = (1u << 24) - 1;
  // The same for many sequences at once, 2 <= jobs[i].count <= MergeJob::kMost, of which the ranks of neighbours are known.
  void merge_many(MergeJob* jobs, size_t count) const;

  // See image/image.hpp. `ids`: what merging may make is below that.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a, size_t ids) {
    a.block("merges.slots", self.slots_);
    a.block("merges.filter", self.filter_);  // half a million pairs take milliseconds to put in
    a.block("merges.joined", self.joined_);
    a.block("merges.byte_ranks", self.byte_ranks_);
    a.flag(self.monotone_);
    if constexpr (Archive::kReads) self.check(a, ids);
  }

 private:
  // ids[0..count), ranks[0..count - 1); returns the new count.
  size_t merge_short(uint32_t* ids, uint32_t* ranks, size_t count) const;
  template <class Archive>
  void check(Archive& a, size_t ids) {
    const size_t capacity = slots_.size(), ranks = joined_.size();
    a.require((capacity & (capacity - 1)) == 0 && (capacity == 0 || capacity >= kLine), "the table of merges has no power of two as its size");
    a.require(ranks < kRankMask, "there are too many merges");
    if (capacity == 0) return;
    mask_ = capacity - 1;
    shift_ = 64 - __builtin_ctzll(capacity);
    // No branch in the loops: they run over megabytes. A free slot has the largest of all ranks.
    uint32_t free = 0, outside = 0;
    const auto most = static_cast<uint32_t>(ranks), limit = static_cast<uint32_t>(ids);
    const uint64_t* const slots = slots_.data();
    for (size_t i = 0; i < capacity; ++i) {
      free += slots[i] == kFree;
      outside += static_cast<uint32_t>(slots[i] & kRankMask) >= most;
    }
    outside -= free;
    a.require(free > 0, "the table of merges is full");
    const uint32_t* const joined = joined_.data();
    for (size_t r = 0; r < ranks; ++r) outside += joined[r] >= limit;
    a.require(filter_.size() == (capacity << kFilterBits) / 64, "the filter of merges is of another size than their table");
    a.require(byte_ranks_.size() == 0 || byte_ranks_.size() == 65536, "the ranks of pairs of bytes are not 65536");
    for (size_t i = 0; i < byte_ranks_.size(); ++i) outside += byte_ranks_[i] != kNoRank && byte_ranks_[i] >= ranks;
    a.require(outside == 0, "a merge makes a token that is not there");
    count_joined();
  }
  void count_joined() {
    first_joined_ = joined_.empty() ? kNoId : joined_[0];
    for (size_t r = 0; r < joined_.size() && counted(); ++r) {
      if (joined_[r] != first_joined_ + r) first_joined_ = kNoId;
    }
  }

  void filter(uint64_t key) {
    const uint64_t bit = key * kMultiplier >> (shift_ - kFilterBits);
    filter_.writable()[bit >> 6] |= uint64_t{1} << (bit & 63);
  }
  size_t first(uint64_t key) const { return key * kMultiplier >> shift_; }
  // Of the pair, or the free slot where it would be.
  size_t place(uint64_t key) const {
    const size_t start = first(key);
    for (size_t line = start & ~(kLine - 1);; line = (line + kLine) & mask_) {
      for (size_t k = 0; k < kLine; ++k) {
        const size_t i = line | ((start + k) & (kLine - 1));
        if (slots_[i] == kFree || slots_[i] >> kRankBits == key) return i;
      }
    }
  }

  static constexpr uint64_t kFree = ~uint64_t{0};
  static constexpr uint64_t kRankMask = kMaxRanks;
  static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15ull;

  // Left 20 bits, right 20 bits, rank 24 bits; at most half full. Open addressing within a line of eight, then in the next line.
  Flat<uint64_t> slots_;
  Flat<uint64_t> filter_;  // bits by hash: a Bloom filter of the pairs, small enough for a core's own cache
  static constexpr int kFilterBits = 1;  // logarithm of bits a slot
  static const uint64_t kFreeLine[kLine];
  Flat<uint32_t> joined_; // by rank
  Flat<uint32_t> byte_ranks_;
  size_t mask_ = 0;
  int shift_ = 64;
  bool monotone_ = false;
  uint32_t first_joined_ = kNoId;
};

void merge_many_avx2(const MergeTables& tables, MergeJob* jobs, size_t count);
void merge_many_avx512(const MergeTables& tables, MergeJob* jobs, size_t count);

}  // namespace xcore::tokenizer
