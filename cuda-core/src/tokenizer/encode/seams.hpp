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

  // The ends of the parts of [begin, end) between seams, in order, the last being `end`: offsets from `base`, at most
  // kMostParts of them. Returns their number and moves `begin` behind the last.
  static constexpr size_t kMostParts = 128;
  size_t parts(const uint8_t* base, const uint8_t*& begin, const uint8_t* end, uint32_t* ends) const {
    const uint8_t* at = begin + length(*begin);
    size_t n = 0;
    // Whether there is a seam is hard to predict: nothing branches on it.
    while (end - at >= 3 && n < kMostParts - 3) {
      const uint8_t left = at[-1], right = *at;
      const size_t pair = static_cast<size_t>(left) << 8 | right;
      const size_t h = hash(at);
      const uint64_t beside = bytes_[pair >> 6] >> (pair & 63);
      const uint64_t known = partial_[pair >> 6] >> (pair & 63) | characters_[h >> 6] >> (h & 63) | ((left | right) < 0x80);
      // A stray byte may stand alone on the left.
      const uint64_t seam = ~(beside & (known | ((left >= 0x80) & (at - begin < 2)))) & ((right & 0xc0) != 0x80);
      ends[n] = static_cast<uint32_t>(at - base);
      n += seam & 1;
      at += length(right);
    }
    if (n < kMostParts - 3) {
      for (; at < end; ++at) {
        if (cut(begin, at, end)) ends[n++] = static_cast<uint32_t>(at - base);
      }
      ends[n++] = static_cast<uint32_t>(end - base);
    }
    begin = base + ends[n - 1];
    return n;
  }

  // See image/image.hpp.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a) {
    a.block("seams.bytes", self.bytes_);
    a.block("seams.partial", self.partial_);
    a.block("seams.characters", self.characters_);
    if constexpr (Archive::kReads)
      a.require(self.bytes_.size() == 1024 && self.partial_.size() == 1024 && self.characters_.size() == size_t{1} << (kBits - 6),
                "the seams are of another size");
  }

 private:
  // Of the characters beside a place, the last two bytes on the left and the first three on the right are looked at.
  static int left_bytes(uint8_t last) { return last < 0x80 ? 1 : 2; }
  static int right_bytes(uint8_t first) { return first < 0xc0 ? 1 : first < 0xe0 ? 2 : 3; }
  // Of the bytes left_bytes before `at` and right_bytes from it on; the others may be read but do not count. At most two
  // bytes before and three from `at` are read.
  static size_t hash(const uint8_t* at) {
    const uint64_t left = at[-1] < 0x80 ? at[-1] : static_cast<uint64_t>(at[-2]) << 8 | at[-1];
    const uint64_t right = static_cast<uint64_t>(at[0]) << 16 | static_cast<uint64_t>(at[0] >= 0xc0 ? at[1] : 0) << 8 |
                           (at[0] >= 0xe0 ? at[2] : 0);
    return (left << 24 | right) * 0x9e3779b97f4a7c15ull >> (64 - kBits);
  }
  // Of the character that begins so; 1 for a stray byte.
  static size_t length(uint8_t first) { return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4; }
  static constexpr int kBits = 18;

  Flat<uint64_t> bytes_;       // pairs of bytes that stand side by side in some token
  Flat<uint64_t> partial_;     // pairs at a character start, in tokens that hold too little of one of the characters
  Flat<uint64_t> characters_;  // a Bloom filter of one hash: pairs of characters
};

}  // namespace xcore::tokenizer
