// Sets of code points: as ranges while they are put together, as a bitmap while text is matched.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {

inline constexpr uint32_t kLastCodePoint = 0x10ffff;

struct CodeRange {
  uint32_t first, last;  // both inclusive
};

// Sorted, disjoint ranges of code points 0..U+10FFFF.
class RangeSet {
 public:
  RangeSet() = default;
  RangeSet(std::initializer_list<CodeRange> ranges) : ranges_(ranges) { normalise(); }

  // In any order; call normalise() before anything else is asked.
  void add(uint32_t first, uint32_t last) { ranges_.push_back({first, last}); }
  void add(const RangeSet& other) { ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end()); }
  void normalise();

  void invert();
  void intersect(const RangeSet& other);
  // Adds every character that equals a member when case is ignored (simple case folding).
  void ignore_case();

  const std::vector<CodeRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool contains(uint32_t c) const;

 private:
  std::vector<CodeRange> ranges_;
};

// The same for matching: one bit a code point below U+10000, ranges above. A stray byte is in no positive set and in
// every inverted one, as a character of no class.
class CharSet {
 public:
  explicit CharSet(const RangeSet& set, bool stray = false);
  bool operator[](uint32_t c) const {
    if (c < 0x10000) return (bits_[c >> 6] >> (c & 63) & 1) != 0;
    return beyond(c);
  }

 private:
  bool beyond(uint32_t c) const;
  std::array<uint64_t, 1024> bits_{};
  std::vector<CodeRange> high_;
  bool stray_;
};

}  // namespace xcore::tokenizer
