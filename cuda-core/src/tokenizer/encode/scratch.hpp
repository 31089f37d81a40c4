// What one running encode call owns: buffers, and a cache of pieces that were merged before. The cache is
// direct-mapped and of fixed size (786 KiB), so memory stays bounded whatever text comes.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/merge/merge.hpp"

namespace xcore::tokenizer {

class PieceCache {
 public:
  static constexpr size_t kMaxBytes = 15;
  static constexpr size_t kMaxIds = 7;
  struct Entry {
    uint64_t low, high;  // the piece, zero-padded; the last byte is its length, so 0 is a free entry
    uint32_t count;
    uint32_t ids[kMaxIds];
  };

  // The entry for a piece of 1..kMaxBytes bytes: a hit when its key equals `key`'s, else the place to fill.
  Entry& at(const uint8_t* piece, size_t size, Entry& key) {
    if (!entries_) entries_ = std::make_unique<Entry[]>(kEntries);
    uint8_t padded[16] = {};
    std::memcpy(padded, piece, size);
    padded[15] = static_cast<uint8_t>(size);
    std::memcpy(&key.low, padded, 8);
    std::memcpy(&key.high, padded + 8, 8);
    const uint64_t h = (key.low * 0x9ddfea08eb382d69ull) ^ (key.high * 0x9e3779b97f4a7c15ull);
    return entries_[(h ^ h >> 32) * 0x9e3779b97f4a7c15ull >> (64 - kBits)];
  }

 private:
  static constexpr size_t kBits = 14;
  static constexpr size_t kEntries = size_t{1} << kBits;
  std::unique_ptr<Entry[]> entries_;
};

struct Scratch {
  PieceCache cache;
  MergeScratch merge;
  std::vector<uint32_t> symbols;
  std::string normalized;
};

}  // namespace xcore::tokenizer
