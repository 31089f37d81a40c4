// Where a piece can be cut without changing what merging makes of it. A merge across a place makes a token that holds the
// characters on both sides next to each other; where no token of the vocabulary does, nothing ever merges across, and the
// parts can be encoded (and remembered) by themselves. This turns a run of Chinese letters into words, and the endless
// single piece of a SentencePiece model into units that begin at blanks. (Berglund and van der Merwe, "Formalizing BPE
// tokenization", 2023, treat when tokenization can be cut.)
#pragma once

#include <string_view>

#include "tokenizer/flat.hpp"

namespace xcore::tokenizer {

class Seams {
 public:
  Seams();
  // Every string that a merge can make, and every piece that is looked up whole.
  void add(std::string_view token);

  // Nothing merges across `at`, begin < at < end. False inside of characters.
  bool cut(const uint8_t* begin, const uint8_t* at, const uint8_t* end) const {
    const uint8_t left = at[-1], right = *at;
    const size_t pair = static_cast<size_t>(left) << 8 | right;
    if (!(bytes_[pair >> 6] >> (pair & 63) & 1)) return (right & 0xc0) != 0x80;
    if ((left | right) < 0x80 || (right & 0xc0) == 0x80) return false;
    if (partial_[pair >> 6] >> (pair & 63) & 1) return false;
    if (at - begin < left_bytes(left) || end - at < right_bytes(right)) return false;
    const size_t h = hash(at);
    return !(characters_[h >> 6] >> (h & 63) & 1);
  }

  // use(from, to) for each part between seams, in order; begin < end.
  template <class F>
  void each_part(const uint8_t* begin, const uint8_t* end, F&& use) const {
    const uint8_t* from = begin;
    const uint8_t* at = begin + 1;
    for (; end - at >= 3; ++at) {
      // cut() for what has enough bytes on both sides, without its branches.
      if ((*at & 0xc0) == 0x80 ) continue;
      const uint8_t left = at[-1], right = *at;
      const size_t pair = static_cast<size_t>(left) << 8 | right;
      if (bytes_[pair >> 6] >> (pair & 63) & 1) {
        if ((left | right) < 0x80 || (partial_[pair >> 6] >> (pair & 63) & 1)) continue;
        if (at - begin < 2 && left >= 0x80) continue;
        const size_t h = hash(at);
        if (characters_[h >> 6] >> (h & 63) & 1) continue;
      }
      use(from, at);
      from = at;
    }
    for (; at < end; ++at) {
      if (!cut(begin, at, end)) continue;
      use(from, at);
      from = at;
    }
    use(from, end);
  }

 private:
  // Of the characters beside a place, the last two bytes on the left and the first three on the right are looked at.
  static int left_bytes(uint8_t last) { return last < 0x80 ? 1 : 2; }
  static int right_bytes(uint8_t first) { return first < 0xc0 ? 1 : first < 0xe0 ? 2 : 3; }
  static size_t hash(const uint8_t* at) {
    uint64_t key = at[-1] < 0x80 ? at[-1] : static_cast<uint64_t>(at[-2]) << 8 | at[-1];
    key = key << 8 | at[0];
    if (at[0] >= 0xc0) key = key << 8 | at[1];
    if (at[0] >= 0xe0) key = key << 8 | at[2];
    return key * 0x9e3779b97f4a7c15ull >> (64 - kBits);
  }
  static constexpr int kBits = 18;

  Flat<uint64_t> bytes_;       // pairs of bytes that stand side by side in some token
  Flat<uint64_t> partial_;     // pairs at a character start, in tokens that hold too little of one of the characters
  Flat<uint64_t> characters_;  // a Bloom filter of one hash: pairs of characters
};

}  // namespace xcore::tokenizer
