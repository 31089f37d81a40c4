// Byte-pair merging (Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016):
// while any two neighbours have an entry in the table, join the pair of lowest rank, the leftmost of equals.
// SentencePiece's BPE is the same procedure with ranks made from scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/flat.hpp"

namespace xcore::tokenizer {

inline constexpr uint32_t kNoRank = 0xffffffffu;

// (left, right) -> (rank, joined). Open addressing, at most half full.
class PairTable {
 public:
  struct Entry {
    uint32_t left, right, rank, joined;
  };
  void reserve(size_t pairs);
  // False when the pair is there already; it then stays as it is.
  bool insert(uint32_t left, uint32_t right, uint32_t rank, uint32_t joined);
  // An entry of rank kNoRank when absent.
  const Entry& find(uint32_t left, uint32_t right) const {
    for (size_t i = slot(left, right);; i = (i + 1) & mask_) {
      const Entry& e = entries_[i];
      if (e.rank == kNoRank || (e.left == left && e.right == right)) return e;
    }
  }
  void prefetch(uint32_t left, uint32_t right) const { __builtin_prefetch(entries_.data() + slot(left, right)); }
  size_t size() const { return size_; }
  template <class F>
  void each(F&& use) const {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].rank != kNoRank) use(entries_[i]);
    }
  }

  // See image/image.hpp. `ids`: what merging may make is below that.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a, size_t ids) {
    a.block("pairs", self.entries_);
    if constexpr (Archive::kReads) {
      const size_t capacity = self.entries_.size();
      a.require(capacity > 0 && (capacity & (capacity - 1)) == 0, "the table of pairs has no power of two as its size");
      self.mask_ = capacity - 1;
      size_t outside = 0;
      for (size_t i = 0; i < capacity; ++i) {
        const Entry& e = self.entries_[i];
        self.size_ += e.rank != kNoRank;
        outside += e.rank != kNoRank && e.joined >= ids;
      }
      a.require(self.size_ < capacity, "the table of pairs is full");
      a.require(outside == 0, "a merge makes a token that is not there");
    }
  }

 private:
  size_t slot(uint32_t left, uint32_t right) const {
    const uint64_t h = (static_cast<uint64_t>(left) << 32 | right) * 0x9e3779b97f4a7c15ull;
    return static_cast<size_t>(h >> 32) & mask_;
  }
  Flat<Entry> entries_{1, Entry{0, 0, kNoRank, 0}};
  size_t mask_ = 0;
  size_t size_ = 0;
};

// A set of ranks whose lowest member is found in three steps.
class RankSet {
 public:
  void reserve(size_t ranks);  // empty afterwards if it grows
  void insert(uint32_t rank);
  void erase(uint32_t rank);
  uint32_t first() const;  // kNoRank when empty

 private:
  size_t size_ = 0;
  std::vector<uint64_t> levels_[3];
};

// Reused between calls.
struct MergeScratch {
  std::vector<uint32_t> next, previous, rank, joined;
  std::vector<uint64_t> heap;
  // For merge_long.cpp: places by rank.
  Flat<uint32_t> columns;
  std::vector<uint32_t> first;
  RankSet waiting;
};

// Merges ids[0..count) in place and returns the new count. Quadratic below 32 symbols, where that is fastest, and
// O(n log n) above. count must be below 2^32 - 1.
size_t merge(const PairTable& pairs, uint32_t* ids, size_t count, MergeScratch& scratch);

// The definition.
size_t merge_ref(const PairTable& pairs, uint32_t* ids, size_t count);

}  // namespace xcore::tokenizer
