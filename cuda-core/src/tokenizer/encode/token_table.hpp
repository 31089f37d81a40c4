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
    if (lines_.empty()) return kNoId;
    for (size_t i = place(hash);; i = i + 1 < lines_.size() ? i + 1 : 0) {
      const Line& line = lines_[i];
      for (size_t k = 0; k < kKeys; ++k) {
        if (line.keys[k].low == key.low && line.keys[k].high == key.high) return line.ids[k];
      }
      if (!line.more) return kNoId;
    }
  }
  // What find() reads, in most cases all of it.
  void prefetch(uint64_t hash) const {
    if (!lines_.empty()) __builtin_prefetch(lines_.data() + place(hash));
  }

  // See image/image.hpp.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a, size_t ids) {
    a.block("whole.lines", self.lines_);
    if constexpr (Archive::kReads) {
      // No branch in the loop: it runs over megabytes.
      size_t last = 0, outside = 0;
      const size_t count = self.lines_.size();
      for (size_t i = 0; i < count; ++i) {
        const Line& line = self.lines_[i];
        last += line.more == 0;
        for (size_t k = 0; k < kKeys; ++k) outside += (line.keys[k].high != 0) & (line.ids[k] >= ids);
      }
      a.require(count < size_t{1} << 31, "the table of whole pieces is too large");
      a.require(count == 0 || last > 0, "the table of whole pieces is full");
      a.require(outside == 0, "the table of whole pieces names a token that is not there");
    }
  }

 private:
  static constexpr size_t kKeys = 3;
  // A cache line, so that finding a token waits for memory once. Free places have a key of zeros, which no piece has.
  struct Line {
    PieceKey keys[kKeys];
    uint32_t ids[kKeys];
    uint32_t more;  // a token that belongs here is in a later line
  };
  static_assert(sizeof(Line) == 64);
  size_t place(uint64_t hash) const { return (hash >> 32) * lines_.size() >> 32; }
  Flat<Line> lines_;
};

}  // namespace xcore::tokenizer
