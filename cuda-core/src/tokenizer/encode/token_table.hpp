// Short pieces that are one token: id by key, so that a piece met for the first time need not be merged.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/encode/piece_memo.hpp"
#include "tokenizer/merge/merge_tables.hpp"

namespace xcore::tokenizer {

struct Model;

// For each symbol, whether merging its own content ends with it alone. Not every token of a vocabulary is reached: merges
// inside may go another way. Decided without merging: a token is reached if one of its pairs is, and a pair (a, b) is if
// no pair across their boundary comes earlier than the pair's own merge, at any of the times when symbols of a's right
// edge and of b's left edge stand beside each other. Empty when the pairs are not monotone. `pairs`: those of the tables, by rank.
// `starts`: the symbols that merging may begin with; empty: all that no pair makes.
std::vector<bool> reached_symbols(const Large<PairTable::Entry>& pairs, const MergeTables& tables, const std::vector<bool>& starts = {});

class TokenTable {
 public:
  TokenTable() = default;
  // Tokens of up to 15 bytes for which `whole[id]` holds.
  TokenTable(const Model& model, const StringTable& contents, const std::vector<bool>& whole);

  // kNoId when there is none.
  uint32_t find(const PieceKey& key, uint64_t hash) const {
    if (slots_.empty()) return kNoId;
    for (size_t i = hash >> shift_;; i = (i + 1) & mask_) {
      const Slot s = slots_[i];
      if (s.id == kNoId) return kNoId;
      if (s.check == static_cast<uint32_t>(hash) && keys_[s.id].low == key.low && keys_[s.id].high == key.high) return s.id;
    }
  }
  // What find() will read first, and what after that.
  void prefetch(uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(slots_.data() + (hash >> shift_));
  }
  void prefetch_key(uint64_t hash) const {
    if (slots_.empty()) return;
    // Not by a branch: it would wait for the slot, and whatever else is on its way with it.
    const uint32_t id = slots_[hash >> shift_].id;
    const auto there = static_cast<uint32_t>(static_cast<int32_t>(~id | (0u - ~id)) >> 31);  // all ones unless it is kNoId
    __builtin_prefetch(keys_.data() + (id & there));
  }

  // See image/image.hpp.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a, size_t ids) {
    a.block("whole.slots", self.slots_);
    a.block("whole.keys", self.keys_);
    if constexpr (Archive::kReads) {
      const size_t capacity = self.slots_.size();
      a.require((capacity & (capacity - 1)) == 0 && capacity != 1, "the table of whole pieces has no power of two as its size");
      if (capacity == 0) return;
      a.require(self.keys_.size() == ids, "the table of whole pieces has not one key a token");
      self.mask_ = capacity - 1;
      self.shift_ = 64 - __builtin_ctzll(capacity);
      const auto [free, outside] = count_ids(self.slots_, ids);
      a.require(free > 0, "the table of whole pieces is full");
      a.require(outside == 0, "the table of whole pieces names a token that is not there");
    }
  }

 private:
  struct Slot {
    uint32_t check, id;
  };
  Flat<Slot> slots_;
  Flat<PieceKey> keys_;  // by id
  size_t mask_ = 0;
  int shift_ = 63;
};

}  // namespace xcore::tokenizer
