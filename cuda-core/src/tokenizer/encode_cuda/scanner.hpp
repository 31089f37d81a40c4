// Cutting text into pieces on the GPU, exactly as next_piece does on the CPU.
//
// A regular expression that looks only forward makes the pieces after a piece start a function of the text after it.
// So a thread may begin in the middle of a text wherever a piece is *certain* to start, and go on to the first certain
// start of a later part: every piece is then found once, by the same scanner a CPU would use. `certain_start` names
// such places from two neighbouring characters; they are a few bytes apart in almost any text, and where they are not
// (a megabyte of one letter) one thread simply walks on.
//
// Everything here compiles for both sides: the tests hold it against next_piece_ref without a GPU.
#pragma once

#include <cstdint>

#include "runtime/host_device.hpp"
#include "tokenizer/pretokenize/pretokenize.hpp"

namespace xcore::tokenizer::gpu {

// CharacterClass bits of unicode.hpp, and one of our own.
enum : uint8_t {
  kL = 1,
  kN = 2,
  kS = 4,
  kM = 8,
  kUp = 16,
  kLow = 32,
  kUnstable = 64,  // NFC may change this character or join it to the one before
};

// Classes by code point in two stages, flat, in the memory of whoever uses them.
struct ClassView {
  const uint16_t* block;   // [0x1100] index of the 256 classes of code points c >> 8
  const uint8_t* classes;  // the blocks; the first is that of ASCII
};

// What the scanner knows of a byte: the class of the character it belongs to in the lower six bits, and how many bytes
// follow the first in the upper two. All bytes of a character have the same, so that looking back is as easy as
// looking ahead. A stray byte is a character of no class.
using Info = uint8_t;
inline constexpr Info kClassBits = 63;
XC_HD uint32_t length_of(Info i) { return (i >> 6) + 1u; }

struct Character {
  uint8_t kind;    // class bits
  uint8_t length;  // bytes
};

// The character at `at` < end, valid as in decode_utf8.
XC_HD Character character_at(const ClassView& classes, const uint8_t* at, const uint8_t* end) {
  const uint32_t a = at[0];
  if (a < 0x80) return {classes.classes[a], 1};
  const auto left = end - at;
  const auto kind = [&](uint32_t c) { return classes.classes[static_cast<uint32_t>(classes.block[c >> 8]) << 8 | (c & 255)]; };
  if (a < 0xc2 || a >= 0xf5 || left < 2 || (at[1] & 0xc0u) != 0x80u) return {0, 1};
  const uint32_t b = at[1] & 63u;
  if (a < 0xe0) return {kind((a & 31) << 6 | b), 2};
  if (left < 3 || (at[2] & 0xc0u) != 0x80u) return {0, 1};
  const uint32_t c = b << 6 | (at[2] & 63u);
  if (a < 0xf0) {
    const uint32_t value = (a & 15) << 12 | c;
    if (value < 0x800 || (value >= 0xd800 && value <= 0xdfff)) return {0, 1};
    return {kind(value), 3};
  }
  if (left < 4 || (at[3] & 0xc0u) != 0x80u) return {0, 1};
  const uint32_t value = (a & 7) << 18 | c << 6 | (at[3] & 63u);
  if (value < 0x10000 || value > 0x10ffff) return {0, 1};
  return {kind(value), 4};
}

// The Info of the byte at `at` in [begin, end), and the class of its character with all bits.
XC_HD Info info_at(const ClassView& classes, const uint8_t* begin, const uint8_t* at, const uint8_t* end, uint8_t& kind) {
  const uint8_t* first = at;
  while ((*first & 0xc0u) == 0x80u && first > begin && at - first < 3) --first;
  Character c = character_at(classes, first, end);
  if (first + c.length <= at) c = {0, 1};  // behind a character that has ended: a stray byte
  kind = c.kind;
  return static_cast<Info>((c.kind & kClassBits) | (c.length - 1) << 6);
}

// Cuts one segment: bytes [begin, end) of a text whose Info is at the same places. Positions are those of the text.
class Scanner {
 public:
  using At = uint32_t;

  XC_HD Scanner(const uint8_t* text, const Info* info, At begin, At end) : text_(text), info_(info), begin_(begin), end_(end) {}

  // True only where a piece starts whatever lies further away; p in [begin, end). A change between letters, numbers and
  // the rest ends every piece, except that marks belong to the letters in some patterns, that an apostrophe may begin
  // the end of a word, and that what precedes letters may be taken along; and no piece takes a blank behind something
  // that is not white space.
  template <Pattern kPattern>
  XC_HD bool certain_start(At p) const {
    if (p == begin_) return true;
    const uint8_t byte = text_[p];
    if ((byte & 0xc0u) == 0x80u || byte == '\'') return false;
    const Info left = info_[p - 1];
    if (byte == ' ') return !(left & kS);
    constexpr uint8_t kWord = kL | kN;
    constexpr bool kMarksInWords = kPattern == Pattern::o200k || kPattern == Pattern::tekken || kPattern == Pattern::none;
    const Info right = info_[p];
    if (kMarksInWords && (right & kM)) return false;
    // Only GPT-2's words begin with nothing but a blank.
    if (kPattern == Pattern::gpt2 && !(left & (kWord | kS)) && text_[p - 1] != '\'') return (right & kWord) != 0;
    return (left & kWord) && (left & kWord) != (right & kWord);
  }

  // The end of the piece that starts at p < end.
  template <Pattern kPattern>
  XC_HD At next(At p) const {
    if constexpr (kPattern == Pattern::gpt2) return gpt2(p);
    if constexpr (kPattern == Pattern::cl100k) return cl100k(p, 3);
    if constexpr (kPattern == Pattern::qwen2) return cl100k(p, 1);
    if constexpr (kPattern == Pattern::o200k) return o200k(p, 3, true);
    if constexpr (kPattern == Pattern::tekken) return o200k(p, 1, false);
    return end_;
  }

 private:
  // Class and length of the character at p; length 0 at the end.
  XC_HD Character peek(At p) const {
    if (p >= end_) return {0, 0};
    const Info i = info_[p];
    return {static_cast<uint8_t>(i & kClassBits), static_cast<uint8_t>(length_of(i))};
  }

  // Past all characters that have one of the bits of `any`.
  XC_HD At run(At p, uint8_t any) const {
    for (;;) {
      const Character c = peek(p);
      if (!(c.kind & any)) return p;
      p += c.length;
    }
  }
  // Past all of [^\s\p{L}\p{N}].
  XC_HD At run_other(At p) const {
    for (;;) {
      const Character c = peek(p);
      if (!c.length || (c.kind & (kL | kN | kS))) return p;
      p += c.length;
    }
  }
  XC_HD At run_numbers(At p, int limit) const {
    for (; limit > 0; --limit) {
      const Character c = peek(p);
      if (!(c.kind & kN)) break;
      p += c.length;
    }
    return p;
  }
  // Past 's 't 're 've 'm 'll 'd, or p itself. `fold` ignores case; U+017F then counts as s.
  XC_HD At contraction(At p, bool fold) const {
    if (p >= end_ || text_[p] != '\'' || end_ - p < 2) return p;
    const uint8_t flip = fold ? 32 : 0;
    const uint8_t a = text_[p + 1] | (text_[p + 1] < 0x80 ? flip : 0);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if (end_ - p < 3) return p;
    if (fold && text_[p + 1] == 0xc5 && text_[p + 2] == 0xbf) return p + 3;
    const uint8_t b = text_[p + 2] | (text_[p + 2] < 0x80 ? flip : 0);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    return p;
  }
  // White space at p: \s*[\r\n]+ when `lines`, then \s+(?!\S), then \s+.
  XC_HD At space(At p, bool lines) const {
    At after_line = 0;
    At last = p;
    At q = p;
    for (;;) {
      const Character c = peek(q);
      if (!(c.kind & kS)) break;
      last = q;
      if (text_[q] == '\n' || text_[q] == '\r') after_line = q + 1;
      q += c.length;
    }
    if (lines && after_line) return after_line;
    return q == end_ || last == p ? q : last;
  }

  XC_HD At gpt2(At p) const {
    if (text_[p] == '\'') {
      const At q = contraction(p, false);
      if (q != p) return q;
    }
    At start = p;
    Character c = peek(p);
    if (text_[p] == ' ') {
      const Character after = peek(p + 1);
      if (after.length && !(after.kind & kS)) {
        ++start;
        c = after;
      }
    }
    if (c.kind & kS) return space(p, false);
    if (c.kind & (kL | kN)) return run(start + c.length, c.kind & (kL | kN));
    return run_other(start + c.length);
  }

  // What cl100k, qwen2, o200k and tekken share after their letters: numbers, others, white space.
  XC_HD At rest(At p, Character c, int digits, bool slashes) const {
    if (c.kind & kN) return run_numbers(p, digits);
    At start = p;
    if (text_[p] == ' ') {
      const Character after = peek(p + 1);
      if (after.length && !(after.kind & (kS | kL | kN))) {
        ++start;
        c = after;
      }
    }
    if (c.kind & kS) return space(p, true);
    At q = run_other(start + c.length);
    while (q < end_ && (text_[q] == '\r' || text_[q] == '\n' || (slashes && text_[q] == '/'))) ++q;
    return q;
  }

  XC_HD At cl100k(At p, int digits) const {
    if (text_[p] == '\'') {
      const At q = contraction(p, true);
      if (q != p) return q;
    }
    const Character c = peek(p);
    At letters = c.kind & kL ? p + c.length : 0;
    if (!letters && !(c.kind & kN) && text_[p] != '\r' && text_[p] != '\n') {
      const Character after = peek(p + c.length);
      if (after.kind & kL) letters = p + c.length + after.length;
    }
    return letters ? run(letters, kL) : rest(p, c, digits, false);
  }

  XC_HD static bool is_upper(uint8_t k) { return (k & kM) || ((k & kL) && !(k & kLow)); }
  XC_HD static bool is_lower(uint8_t k) { return (k & kM) || ((k & kL) && !(k & kUp)); }
  XC_HD At run_lower(At p) const {
    for (;;) {
      const Character c = peek(p);
      if (!is_lower(c.kind)) return p;
      p += c.length;
    }
  }
  // [Lu Lt Lm Lo M]*[Ll Lm Lo M]+ from p, or 0. `upper` receives the end of the leading [Lu Lt Lm Lo M]*.
  XC_HD At cased(At p, At& upper) const {
    At caseless = 0;  // end of the last character that is in both sets
    for (;;) {
      const Character c = peek(p);
      if (!is_upper(c.kind)) {
        upper = p;
        return is_lower(c.kind) ? run_lower(p) : caseless;
      }
      p += c.length;
      if (is_lower(c.kind)) caseless = p;
    }
  }
  XC_HD At o200k(At p, int digits, bool contractions) const {
    const Character c = peek(p);
    const bool prefix = !(c.kind & (kL | kN)) && text_[p] != '\r' && text_[p] != '\n';
    // Alternatives in order: cased word behind a prefix, cased word, all upper behind a prefix, all upper. Without a
    // [Ll Lm Lo M] the second alternative can take no more than the leading run.
    At upper = p;
    At upper_after = p;
    At q = prefix ? cased(p + c.length, upper_after) : 0;
    if (!q) q = cased(p, upper);
    if (!q && prefix && upper_after > p + c.length) q = upper_after;
    if (!q && upper > p) q = upper;
    if (q) return contractions ? contraction(q, true) : q;
    return rest(p, c, digits, true);
  }

  const uint8_t* text_;
  const Info* info_;
  At begin_, end_;
};

// Whether there is a scanner for the pattern.
inline bool covers(Pattern p) {
  return p == Pattern::gpt2 || p == Pattern::cl100k || p == Pattern::qwen2 || p == Pattern::o200k || p == Pattern::tekken;
}

}  // namespace xcore::tokenizer::gpu
