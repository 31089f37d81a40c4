// Where a piece can be cut without changing what merging makes of it. A merge across a place makes a token that holds the
// characters on both sides next to each other; where no token of the vocabulary does, nothing ever merges across, and the
// parts can be encoded (and remembered) by themselves. This turns a run of Chinese letters into words, and the endless
// single piece of a SentencePiece model into units that begin at blanks. (Berglund and van der Merwe, "Formalizing BPE
// tokenization", 2023, treat when tokenization can be cut.)
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
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
    const uint8_t kind = kinds_[pair(at)];
    if (kind != kAsk) return kind == kSeam;
    return at - begin >= left_bytes(at[-1]) && end - at >= right_bytes(*at) && !joined(at);
  }

  // The ends of the parts of [begin, end) between seams, in order, the last being `end`: offsets from `base`, at most
  // kMostParts of them. Returns their number and moves `begin` behind the last.
  static constexpr size_t kMostParts = 256;
  size_t parts(const uint8_t* base, const uint8_t*& begin, const uint8_t* end, uint32_t* ends) const {
    const uint8_t* at = begin + 1;
    size_t n = 0;
    const auto look = [&](const uint8_t* stop) {
      for (; at < stop; ++at) {
        if (cut(begin, at, end)) ends[n++] = static_cast<uint32_t>(at - base);
      }
    };
    look(std::min(begin + 2, end));
    // The pairs of 64 bytes are looked up one by one, but none of them waits for another; then the characters around the
    // few places that the pairs leave open. Whether there is a seam is hard to predict: nothing branches on it.
    while (end - at >= 3 && n <= kMostParts - 64 - 3) {
      at = three_byte_run(base, at, end, ends, n);
      if (end - at < 3 || n > kMostParts - 64 - 3) continue;
      const auto size = std::min<size_t>(64, static_cast<size_t>(end - at) - 2);
      uint64_t seams = 0, open = 0;
      for (size_t i = 0; i < size; ++i) {
        const uint64_t kind = kinds_[pair(at + i)];
        seams |= (~kind & ~(kind >> 1) & 1) << i;
        open |= (kind >> 1) << i;
      }
      for (uint64_t rest = seams | open; rest; rest &= rest - 1) {
        const auto i = static_cast<size_t>(__builtin_ctzll(rest));
        ends[n] = static_cast<uint32_t>(at + i - base);
        n += (seams >> i & 1) | !joined(at + i);
      }
      at += size;
    }
    if (end - at < 3) {
      look(end);
      ends[n++] = static_cast<uint32_t>(end - base);
    }
    begin = base + ends[n - 1];
    return n;
  }

  // See image/image.hpp.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a) {
    a.block("seams.pairs", self.kinds_);
    a.block("seams.characters", self.characters_);
    if constexpr (Archive::kReads) {
      a.require(self.kinds_.size() == 65536 && self.characters_.size() == size_t{1} << (kBits - 6), "the seams are of another size");
      a.require(*std::max_element(self.kinds_.data(), self.kinds_.data() + 65536) <= kAsk, "a seam is of no kind");
    }
  }

 private:
  // The same over characters of three bytes (Chinese, Japanese, Korean) as long as they follow each other: at each of them
  // both tables are asked.
  const uint8_t* three_byte_run(const uint8_t* base, const uint8_t* at, const uint8_t* end, uint32_t* ends, size_t& n) const {
    if (at[-1] < 0x80) return at;
    for (; end - at >= 6 && n <= kMostParts - 64 - 3; at += 3) {
      uint64_t w;  // of two bytes before the place and six behind it
      std::memcpy(&w, at - 2, 8);
      if ((w & 0xc0c0f00000) != 0x8080e00000) return at;
      ends[n] = static_cast<uint32_t>(at - base);
      const uint64_t kind = kinds_[pair(at)], h = (__builtin_bswap64(w) >> 24) * kMultiplier >> (64 - kBits);
      n += (~kind & ~(kind >> 1) & 1) | ((kind >> 1) & ~(characters_[h >> 6] >> (h & 63)) & 1);
    }
    return at;
  }
  // Of the characters beside a place, the last two bytes on the left and the first three on the right are looked at.
  static int left_bytes(uint8_t last) { return last < 0x80 ? 1 : 2; }
  static int right_bytes(uint8_t first) { return first < 0xc0 ? 1 : first < 0xe0 ? 2 : 3; }
  static size_t pair(const uint8_t* at) { return static_cast<size_t>(at[-1]) << 8 | at[0]; }
  // Whether the characters beside `at` may stand side by side in a token.
  bool joined(const uint8_t* at) const {
    const size_t h = hash(at);
    return characters_[h >> 6] >> (h & 63) & 1;
  }
  // Of the bytes left_bytes before `at` and right_bytes from it on; the others may be read but do not count. At most two
  // bytes before and three from `at` are read.
  static size_t hash(const uint8_t* at) {
    const uint64_t left = at[-1] < 0x80 ? at[-1] : static_cast<uint64_t>(at[-2]) << 8 | at[-1];
    const uint64_t right = static_cast<uint64_t>(at[0]) << 16 | static_cast<uint64_t>(at[0] >= 0xc0 ? at[1] : 0) << 8 |
                           (at[0] >= 0xe0 ? at[2] : 0);
    return (left << 24 | right) * kMultiplier >> (64 - kBits);
  }
  static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15ull;
  static constexpr int kBits = 18;

  // By the bytes beside a place: a seam, because no token has them side by side; none, because some token may, or a character
  // goes on; or to be decided by the characters.
  enum Kind : uint8_t { kSeam = 0, kNoSeam = 1, kAsk = 2 };
  Flat<uint8_t> kinds_;
  Flat<uint64_t> characters_;  // a Bloom filter of one hash: pairs of characters
};

}  // namespace xcore::tokenizer
