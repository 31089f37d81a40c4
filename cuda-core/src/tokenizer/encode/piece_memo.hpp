// What short pieces were encoded to, so that a piece met again costs one probe. Entries are half a cache line and hold
// up to three ids; a probe reads one line of two entries and only rarely the next. The table grows from 64 KiB to the
// limit it is given and then replaces entries, so memory stays bounded whatever text comes.
#pragma once

#include <cstring>
#include <vector>

#include "tokenizer/flat.hpp"
#include "tokenizer/vocabulary.hpp"

namespace xcore::tokenizer {

struct CacheStats {
  uint64_t lookups = 0, misses = 0;
  uint64_t entries = 0, bytes = 0;
};

// A piece of 1..15 bytes: the bytes, padded with zeros, and the length in the last byte. Keys of pieces differ, and none
// is zero.
struct PieceKey {
  static constexpr size_t kMaxBytes = 15;
  uint64_t low, high;

  // Reads 16 bytes at p.
  static PieceKey load(const uint8_t* p, size_t size) {
    PieceKey k;
    std::memcpy(&k.low, p, 8);
    std::memcpy(&k.high, p + 8, 8);
    k.low &= kMask[size].low;
    k.high = (k.high & kMask[size].high) | static_cast<uint64_t>(size) << 56;
    return k;
  }
  // Reads no byte outside the piece.
  static PieceKey load_exactly(const uint8_t* p, size_t size) {
    uint8_t padded[16] = {};
    std::memcpy(padded, p, size);
    return load(padded, size);
  }
  uint64_t hash() const { return (low ^ (high << 32 | high >> 32) * 0x9ddfea08eb382d69ull) * 0x9e3779b97f4a7c15ull; }

 private:
  struct Mask {
    uint64_t low, high;
  };
  static const Mask kMask[16];
};

class PieceMemo {
 public:
  static constexpr uint32_t kInline = 3;
  struct Entry {
    uint64_t low, high;  // zero: free
    uint32_t ids[kInline];
    uint32_t count;  // more than kInline: the ids are at spilled()[ids[0]], behind which kRead can be read
  };

  PieceMemo() { clear(); }
  void limit(size_t bytes);
  void clear();

  // Where an entry of a hash is, if it is in its first place: a line of two entries. Good until the next insert().
  struct Lines {
    const Entry* table;
    int shift;
    const Entry* at(uint64_t hash) const { return table + ((hash >> shift) << 1); }
  };
  Lines lines() const { return {table_.data(), shift_}; }
  // Anywhere, or nullptr. An entry that was found behind its first place is moved there. Good until the next find().
  const Entry* find(const PieceKey& key, uint64_t hash);
  static constexpr size_t kRead = 16;
  const uint32_t* spilled() const { return spilled_.data(); }
  const uint32_t* ids(const Entry& e) const { return e.count <= kInline ? e.ids : spilled_.data() + e.ids[0]; }
  void insert(const PieceKey& key, uint64_t hash, const uint32_t* ids, uint32_t count);

  size_t entries() const { return used_; }
  size_t bytes() const { return table_.bytes() + spilled_.capacity() * sizeof(uint32_t); }

 private:
  static constexpr size_t kFirst = 2048;  // entries at the start
  static constexpr size_t kLines = 4;     // an entry is at most so many lines behind its first place

  void grow();
  Entry* free_place(uint64_t hash);

  Flat<Entry> table_;
  std::vector<uint32_t> spilled_;
  int shift_ = 0;
  size_t used_ = 0, most_entries_ = size_t{1} << 18, most_spilled_ = size_t{1} << 20;
  uint32_t victim_ = 0;
};

// The same for longer pieces: their bytes and ids lie in one arena. Starts afresh when its limit is reached.
class LongMemo {
 public:
  static constexpr size_t kMaxBytes = 512;

  void limit(size_t bytes) { limit_ = bytes; }
  void clear();
  static uint64_t hash(const uint8_t* piece, size_t size);
  // The ids, or nullptr.
  const uint32_t* find(const uint8_t* piece, size_t size, uint64_t hash, uint32_t& count) const;
  void insert(const uint8_t* piece, size_t size, uint64_t hash, const uint32_t* ids, uint32_t count);
  void prefetch(uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(slots_.data() + (hash & (slots_.size() - 1)));
  }

  size_t entries() const { return used_; }
  size_t bytes() const { return slots_.bytes() + arena_.capacity() * sizeof(uint32_t); }

 private:
  struct Slot {
    uint64_t hash;
    uint32_t at;  // in the arena: the ids, then the bytes; kFree for none
    uint16_t size, count;
  };
  static constexpr uint32_t kFree = 0xffffffffu;

  Flat<Slot> slots_;
  std::vector<uint32_t> arena_;
  size_t used_ = 0, limit_ = size_t{4} << 20;
};

}  // namespace xcore::tokenizer
