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

struct Char {
  uint8_t kind;    // class bits; 0 for a stray byte
  uint8_t length;  // 0 at the end of the text
};

class Scanner {
 public:
  XC_HD Scanner(const ClassView& classes, const uint8_t* begin, const uint8_t* end)
      : classes_(classes), begin_(begin), end_(end) {}

  XC_HD Char peek(const uint8_t* p) const {
    if (p >= end_) return {0, 0};
    if (*p < 0x80) return {classes_.classes[*p], 1};
    return peek_long(p, end_);
  }

  // The character that ends at p > begin.
  XC_HD Char before(const uint8_t* p) const {
    if (p[-1] < 0x80) return {classes_.classes[p[-1]], 1};
    for (int n = 2; n <= 4 && p - begin_ >= n; ++n) {
      if ((p[-n] & 0xc0u) == 0x80u) continue;
      if (p[-n] < 0x80) break;
      const Char c = peek_long(p - n, p);
      if (c.length == n) return c;
      break;
    }
    return {0, 1};
  }

  // True only where a piece starts whatever lies further away; p in [begin, end). Holds for every pattern of `covers`:
  // a change between letters, numbers and the rest ends every piece, except that marks may belong to either side, that
  // an apostrophe may begin the end of a word, and that what precedes letters or numbers may be taken along; and no
  // piece takes a blank behind something that is not white space.
  XC_HD bool certain_start(const uint8_t* p) const {
    if (p == begin_) return true;
    const uint8_t byte = *p;
    if ((byte & 0xc0u) == 0x80u || byte == '\'') return false;
    const uint8_t left = before(p).kind;
    if (byte == ' ') return !(left & kS);
    if (!(left & (kL | kN))) return false;
    const uint8_t right = peek(p).kind;
    if (right & kM) return false;
    return (left & (kL | kN)) != (right & (kL | kN));
  }

  // The end of the piece that starts at p < end.
  template <Pattern kPattern>
  XC_HD const uint8_t* next(const uint8_t* p) const {
    if constexpr (kPattern == Pattern::gpt2) return gpt2(p);
    if constexpr (kPattern == Pattern::cl100k) return cl100k(p, 3);
    if constexpr (kPattern == Pattern::qwen2) return cl100k(p, 1);
    if constexpr (kPattern == Pattern::o200k) return o200k(p, 3, true);
    if constexpr (kPattern == Pattern::tekken) return o200k(p, 1, false);
    return end_;
  }

 private:
#if defined(__CUDACC__)
  __host__ __device__ __noinline__  // rare in most text, and large
#endif
  Char peek_long(const uint8_t* at, const uint8_t* end) const {
    const uint32_t a = at[0];
    const auto left = end - at;
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
  XC_HD uint8_t kind(uint32_t c) const { return classes_.classes[static_cast<uint32_t>(classes_.block[c >> 8]) << 8 | (c & 255)]; }

  // Past all characters that have one of the bits of `any`.
  XC_HD const uint8_t* run(const uint8_t* p, uint8_t any) const {
    for (;;) {
      const Char c = peek(p);
      if (!(c.kind & any)) return p;
      p += c.length;
    }
  }
  // Past all of [^\s\p{L}\p{N}].
  XC_HD const uint8_t* run_other(const uint8_t* p) const {
    for (;;) {
      const Char c = peek(p);
      if (!c.length || (c.kind & (kL | kN | kS))) return p;
      p += c.length;
    }
  }
  XC_HD const uint8_t* run_numbers(const uint8_t* p, int limit) const {
    for (; limit > 0; --limit) {
      const Char c = peek(p);
      if (!(c.kind & kN)) break;
      p += c.length;
    }
    return p;
  }
  // Past 's 't 're 've 'm 'll 'd, or p itself. `fold` ignores case; U+017F then counts as s.
  XC_HD const uint8_t* contraction(const uint8_t* p, bool fold) const {
    if (p >= end_ || *p != '\'' || end_ - p < 2) return p;
    const uint8_t flip = fold ? 32 : 0;
    const uint8_t a = p[1] | (p[1] < 0x80 ? flip : 0);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if (end_ - p < 3) return p;
    if (fold && p[1] == 0xc5 && p[2] == 0xbf) return p + 3;
    const uint8_t b = p[2] | (p[2] < 0x80 ? flip : 0);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    return p;
  }
  // White space at p: \s*[\r\n]+ when `lines`, then \s+(?!\S), then \s+.
  XC_HD const uint8_t* space(const uint8_t* p, bool lines) const {
    const uint8_t* after_line = nullptr;
    const uint8_t* last = p;
    const uint8_t* q = p;
    for (;;) {
      const Char c = peek(q);
      if (!(c.kind & kS)) break;
      last = q;
      if (*q == '\n' || *q == '\r') after_line = q + 1;
      q += c.length;
    }
    if (lines && after_line) return after_line;
    return q == end_ || last == p ? q : last;
  }

  XC_HD const uint8_t* gpt2(const uint8_t* p) const {
    if (*p == '\'') {
      const uint8_t* const q = contraction(p, false);
      if (q != p) return q;
    }
    const uint8_t* start = p;
    Char c = peek(p);
    if (*p == ' ') {
      const Char after = peek(p + 1);
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
  XC_HD const uint8_t* rest(const uint8_t* p, Char c, int digits, bool slashes) const {
    if (c.kind & kN) return run_numbers(p, digits);
    const uint8_t* start = p;
    if (*p == ' ') {
      const Char after = peek(p + 1);
      if (after.length && !(after.kind & (kS | kL | kN))) {
        ++start;
        c = after;
      }
    }
    if (c.kind & kS) return space(p, true);
    const uint8_t* q = run_other(start + c.length);
    while (q < end_ && (*q == '\r' || *q == '\n' || (slashes && *q == '/'))) ++q;
    return q;
  }

  XC_HD const uint8_t* cl100k(const uint8_t* p, int digits) const {
    if (*p == '\'') {
      const uint8_t* const q = contraction(p, true);
      if (q != p) return q;
    }
    const Char c = peek(p);
    const uint8_t* letters = c.kind & kL ? p + c.length : nullptr;
    if (!letters && !(c.kind & kN) && *p != '\r' && *p != '\n') {
      const Char after = peek(p + c.length);
      if (after.kind & kL) letters = p + c.length + after.length;
    }
    return letters ? run(letters, kL) : rest(p, c, digits, false);
  }

  XC_HD static bool is_upper(uint8_t k) { return (k & kM) || ((k & kL) && !(k & kLow)); }
  XC_HD static bool is_lower(uint8_t k) { return (k & kM) || ((k & kL) && !(k & kUp)); }
  XC_HD const uint8_t* run_lower(const uint8_t* p) const {
    for (;;) {
      const Char c = peek(p);
      if (!is_lower(c.kind)) return p;
      p += c.length;
    }
  }
  // [Lu Lt Lm Lo M]*[Ll Lm Lo M]+ from p, or nullptr. `upper` receives the end of the leading [Lu Lt Lm Lo M]*.
  XC_HD const uint8_t* cased(const uint8_t* p, const uint8_t*& upper) const {
    const uint8_t* caseless = nullptr;  // end of the last character that is in both sets
    for (;;) {
      const Char c = peek(p);
      if (!is_upper(c.kind)) {
        upper = p;
        return is_lower(c.kind) ? run_lower(p) : caseless;
      }
      p += c.length;
      if (is_lower(c.kind)) caseless = p;
    }
  }
  XC_HD const uint8_t* o200k(const uint8_t* p, int digits, bool contractions) const {
    const Char c = peek(p);
    const bool prefix = !(c.kind & (kL | kN)) && *p != '\r' && *p != '\n';
    // Alternatives in order: cased word behind a prefix, cased word, all upper behind a prefix, all upper. Without a
    // [Ll Lm Lo M] the second alternative can take no more than the leading run.
    const uint8_t* upper = p;
    const uint8_t* upper_after = p;
    const uint8_t* q = prefix ? cased(p + c.length, upper_after) : nullptr;
    if (!q) q = cased(p, upper);
    if (!q && prefix && upper_after > p + c.length) q = upper_after;
    if (!q && upper > p) q = upper;
    if (q) return contractions ? contraction(q, true) : q;
    return rest(p, c, digits, true);
  }

  ClassView classes_;
  const uint8_t* begin_;
  const uint8_t* end_;
};

// Whether `certain_start` holds for the pattern.
inline bool covers(Pattern p) {
  return p == Pattern::gpt2 || p == Pattern::cl100k || p == Pattern::qwen2 || p == Pattern::o200k || p == Pattern::tekken;
}

}  // namespace xcore::tokenizer::gpu
