// The bit algebra of scan.hpp, shared by the instruction sets. Bit i of a mask speaks of byte i of the block; all bytes
// of a character carry its class, so the class of the character before a character start is one shift away.
//
// An Isa provides
//   static Classes classify(const uint8_t* p)             64 readable bytes
//   static uint64_t widen<Rules>(const uint8_t* p, Block&)   classes of characters beyond ASCII that it can do at once, from
//                                                            65 readable bytes; the bytes it did
//   static size_t flatten(uint64_t bits, uint32_t base, uint32_t* out)   base + position of each set bit; may write 64
#pragma once

#include <cstring>

#include "tokenizer/pretokenize/scan.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer::block {

// Masks of the ASCII bytes of 64.
struct Classes {
  uint64_t upper, lower, number, space, newline, blank, apostrophe, slash, non_ascii;
};

struct Rules {
  bool gpt2;                // a blank before words and numbers alike, line ends are plain white space
  int digits;               // numbers in groups of 3, one by one (1), whole (0)
  bool contractions;        // 's 't 're ... are pieces
  bool cased;               // words are cut where case rises; marks belong to words
  bool cased_contractions;  // ... and contractions to the word before them
  bool marks;               // marks count as letters
  bool slashes;             // / as well as line ends may follow other characters
  bool space_to_end;        // white space up to the end of the text is one piece
};

constexpr Rules rules(Pattern p) {
  switch (p) {
    case Pattern::gpt2: return {true, 0, true, false, false, false, false, false};
    case Pattern::cl100k: return {false, 3, true, false, false, false, false, false};
    case Pattern::cl100k_end: return {false, 3, true, false, false, false, false, true};
    case Pattern::qwen2: return {false, 1, true, false, false, false, false, false};
    case Pattern::qwen35: return {false, 1, true, false, false, true, false, false};
    case Pattern::o200k: return {false, 3, false, true, true, false, true, false};
    case Pattern::tekken: return {false, 1, false, true, false, false, true, false};
    default: return {};
  }
}

constexpr uint64_t below(size_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }
inline size_t lowest(uint64_t bits) { return static_cast<size_t>(__builtin_ctzll(bits)); }
inline size_t highest(uint64_t bits) { return 63 - static_cast<size_t>(__builtin_clzll(bits)); }

struct Block {
  uint64_t letter, upper, lower, number, space, starts;
  size_t size;  // bytes that can be trusted
  bool final;   // the text ends behind them
};

// decode_utf8, the common case first.
inline CodePoint decode(const uint8_t* p, const uint8_t* end) {
  if (end - p >= 3 && p[0] > 0xe0 && p[0] < 0xed && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80) {
    return {(p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u), 3};
  }
  return decode_utf8(p, end);
}

// Classes of the characters beyond ASCII, looked up one by one where the Isa could not do them. Shortens the block before
// what the algebra cannot do.
template <Pattern P>
inline void widen(const uint8_t* p, const uint8_t* end, uint64_t non_ascii, const ClassTable& table, Block& b) {
  constexpr Rules r = rules(P);
  uint64_t left = non_ascii & below(b.size);
  while (left) {
    const size_t i = lowest(left);
    const CodePoint c = decode(p + i, end);
    if (i + c.length > 64) {
      b.size = i;
      b.final = false;
      break;
    }
    const uint64_t bits = below(c.length) << i;
    const uint8_t kind = table[c.value];
    const auto mask = [&](uint8_t any) { return kind & any ? bits : 0; };
    const bool after_word = i > 0 && (b.letter >> (i - 1) & 1);
    if ((r.digits == 3 && (kind & kNumber)) || (r.cased && (kind & kMark) && !after_word)) {
      b.size = i;
      b.final = false;
      break;
    }
    b.letter |= mask(r.cased || r.marks ? kLetter | kMark : kLetter);
    b.number |= mask(kNumber);
    b.space |= mask(kSpace);
    if (r.cased) {
      b.upper |= mask(kUpper);
      b.lower |= mask(kLower);
    }
    b.starts &= ~(bits & (bits - 1));
    left &= ~bits;
  }
  if (r.cased) {
    // A capital after a caseless letter: whether the word is cut there depends on what came before and comes after.
    const uint64_t caseless = b.letter & ~(b.upper | b.lower);
    const uint64_t open = b.upper & b.starts & (caseless << 1) & below(b.size);
    if (open) {
      b.size = lowest(open);
      b.final = false;
    }
  }
}

// Length of 's 't 're 've 'm 'll 'd at p, or 0. `fold` ignores case; U+017F then counts as s.
inline size_t contraction(const uint8_t* p, const uint8_t* end, bool fold) {
  if (end - p < 2) return 0;
  const uint8_t mask = fold ? 32 : 0;
  const uint8_t a = p[1] | mask;
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - p < 3) return 0;
  if (fold && p[1] == 0xc5 && p[2] == 0xbf) return 3;
  const uint8_t b = p[2] | mask;
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

// Group starts of the numbers: every third character of a run. All bytes are ASCII digits.
inline uint64_t thirds(uint64_t number, uint64_t run_starts) {
  uint64_t step = number & (number << 1) & (number << 2) & (number << 3);  // the three before are numbers as well
  uint64_t t = run_starts | ((run_starts << 3) & step);
  if (!step) return t;
  step &= step << 3;
  for (size_t by = 6; step && by < 64; by *= 2) {
    t |= (t << by) & step;
    step &= step << by;
  }
  return t;
}

// Piece starts in the block at p, where a piece starts (bit 0 is always set); `copy` is p or a padded copy. With b.final they are all there are; else
// the last of them is where to go on.
template <Pattern P, class Isa, bool wide>
inline uint64_t starts_in(const uint8_t* p, const uint8_t* end, const uint8_t* copy, const Classes& a, const ClassTable& table, Block& b) {
  constexpr Rules r = rules(P);
  b.letter = a.upper | a.lower;
  b.upper = a.upper;
  b.lower = a.lower;
  b.number = a.number;
  b.space = a.space;
  b.starts = ~uint64_t{0};
  if (wide) {
    const uint64_t done = Isa::template widen<P>(copy, b);
    widen<P>(p, end, a.non_ascii & ~done, table, b);
  }
  const uint64_t in = below(b.size);
  const uint64_t letter = b.letter & in, number = b.number & in, space = b.space & in, newline = a.newline & in;
  const uint64_t blank = a.blank & in, apostrophe = a.apostrophe & in;
  uint64_t other = in & ~(letter | number | space);
  const auto run_starts = [](uint64_t m) { return m & ~(m << 1); };

  uint64_t run = space;  // white space that other characters before it do not take
  if (!r.gpt2) {
    const uint64_t seed = newline & (other << 1);
    uint64_t taken = newline & ~(newline + seed);
    if (r.slashes && (a.slash & (taken << 1))) {
      const uint64_t tail = newline | (a.slash & in);
      for (uint64_t before = 0; before != taken;) {
        before = taken;
        taken |= (taken << 1) & tail;
      }
      other &= ~taken;
    }
    run &= ~taken;
  }
  uint64_t other_starts = run_starts(other) & ~(blank << 1);
  const uint64_t inner = r.gpt2 ? run : run & ~newline;  // white space within lines
  uint64_t starts = run_starts(run) | other_starts | 1;
  // The last character of white space goes with what follows.
  uint64_t last = inner & ~(space >> 1) & (in >> 1);
  if (wide) {
    for (int i = 0; i < 2; ++i) last = (last & b.starts) | ((last & ~b.starts) >> 1);
  }
  starts |= last;
  if (r.gpt2) {
    starts |= (run_starts(letter) | run_starts(number)) & ~(blank << 1);
  } else {
    // White space after the last line end of a run is a piece of its own.
    uint64_t after_line = (newline << 1) & inner;
    if (const uint64_t behind = (inner + after_line) & ~inner; (behind & newline) && after_line) {
      for (uint64_t k = after_line; k; k &= k - 1) {
        const size_t i = lowest(k);
        const uint64_t stop = ~(inner >> i);
        if (stop && i + lowest(stop) < 64 && (newline >> (i + lowest(stop)) & 1)) after_line &= ~(uint64_t{1} << i);
      }
    }
    starts |= after_line;
    // A word takes the one character before it when that is white space or starts a piece.
    uint64_t first = other_starts;
    if (wide) {
      for (int i = 0; i < 3; ++i) first |= (first << 1) & ~b.starts;
    }
    starts |= run_starts(letter) & ~(((space & ~newline) | (first & other)) << 1);
    if (r.digits == 1) {
      starts |= number & b.starts;
    } else {
      starts |= thirds(number, run_starts(number));
    }
    if (r.cased) starts |= b.upper & in & b.starts & (b.lower << 1);
  }
  if (r.contractions) {
    for (uint64_t q = apostrophe & (other_starts | 1) & (letter >> 1); q; q &= q - 1) {
      const size_t i = lowest(q);
      const size_t n = contraction(p + i, end, !r.gpt2);
      if (n == 0) continue;
      if (r.gpt2) starts &= ~(uint64_t{2} << i);
      if (i + n < b.size) starts |= uint64_t{1} << (i + n);
    }
  }
  if (r.cased_contractions) {
    size_t done = 0;
    for (uint64_t q = apostrophe & (letter << 1) & (letter >> 1); q; q &= q - 1) {
      const size_t i = lowest(q);
      const size_t n = i == done ? 0 : contraction(p + i, end, true);
      if (n == 0) continue;
      done = i + n;
      starts &= ~(below(n) << i);
      if (done < b.size) starts |= uint64_t{1} << done;
    }
  }
  if (!b.final) starts &= below(b.size < 3 ? 0 : b.size - 3) | 1;
  // White space at the end of the block may go on (or, when it ends the text, stays whole): only its start is sure.
  const uint64_t before = ~run & in;
  const size_t sure = 65 - static_cast<size_t>(__builtin_clzll(before | 1)) - (before == 0);
  const bool open = b.size && (run >> ((b.size - 1) & 63) & 1) && (!b.final || r.space_to_end);
  starts &= below(sure) | (static_cast<uint64_t>(open) - 1);
  return starts;
}

// Apart, so that text of ASCII alone keeps its values in registers.
template <Pattern P, class Isa>
__attribute__((noinline)) uint64_t wide_piece_starts(const uint8_t* p, const uint8_t* end, const uint8_t* copy, const Classes& a,
                                                     const ClassTable& table, Block& b) {
  return starts_in<P, Isa, true>(p, end, copy, a, table, b);
}

template <Pattern P, class Isa>
inline uint64_t piece_starts(const uint8_t* p, const uint8_t* end, const uint8_t* copy, const Classes& a, const ClassTable& table,
                             Block& b) {
  if (a.non_ascii & below(b.size)) return wide_piece_starts<P, Isa>(p, end, copy, a, table, b);
  return starts_in<P, Isa, false>(p, end, copy, a, table, b);
}

// The end of a word that fills the block at p but for what stands before its letters, or nullptr when that is not what the
// block holds, or the expression asks more than whether letters go on.
template <Pattern P, class Isa>
__attribute__((noinline)) const uint8_t* long_word(const uint8_t* p, const uint8_t* end, const ClassTable& table, const Block& b) {
  constexpr Rules r = rules(P);
  const auto letters = [](const Block& x) {
    return (r.cased ? x.letter & ~(x.upper | x.lower) : x.letter) & below(x.size);
  };
  const uint64_t others = below(b.size) & ~letters(b);
  if (b.size < 32 || (others && highest(others) > 3)) return nullptr;
  const uint8_t* q = p + b.size;
  for (;;) {
    uint8_t padded[128];
    const auto left = static_cast<size_t>(end - q);
    Block next{0, 0, 0, 0, 0, ~uint64_t{0}, left < 64 ? left : 64, left <= 64};
    const uint8_t* copy = q;
    if (left <= 64) {
      std::memset(padded, 0, sizeof padded);
      std::memcpy(padded, q, left);
      copy = padded;
    }
    const Classes a = Isa::classify(copy);
    next.letter = a.upper | a.lower;
    next.upper = a.upper;
    next.lower = a.lower;
    if (a.non_ascii & below(next.size)) {
      const uint64_t done = Isa::template widen<P>(copy, next);
      widen<P>(q, end, a.non_ascii & ~done, table, next);
    }
    const uint64_t stop = ~letters(next) & below(next.size);
    if (stop) {
      q += lowest(stop);
      // Capitals, small letters and contractions after a cased word are left to the definition.
      return r.cased && ((next.letter | a.apostrophe) >> lowest(stop) & 1) ? nullptr : q;
    }
    if (next.size == 0) return next.final ? q : nullptr;
    q += next.size;
    if (next.final) return q;
  }
}

template <Pattern P, class Isa>
size_t scan(const uint8_t* base, const uint8_t*& at, const uint8_t* end, uint32_t* ends, size_t wanted) {
  const ClassTable& table = ClassTable::get();
  size_t count = 0;
  const uint8_t* p = at;
  while (p < end && count < wanted) {
    Block b;
    const auto left = static_cast<size_t>(end - p);
    uint64_t starts;
    if (left > 64) {
      b.size = 64;
      b.final = false;
      starts = piece_starts<P, Isa>(p, end, p, Isa::classify(p), table, b);
    } else {
      b.size = left;
      b.final = true;
      uint8_t padded[128] = {};
      std::memcpy(padded, p, left);
      starts = piece_starts<P, Isa>(p, end, padded, Isa::classify(padded), table, b);
    }
    const auto offset = static_cast<uint32_t>(p - base);
    const uint64_t inner = starts & ~uint64_t{1};
    if (inner) count += Isa::flatten(inner, offset, ends + count);
    if (b.final) {
      p = end;
      ends[count++] = static_cast<uint32_t>(p - base);
    } else if (inner) {
      p += highest(inner);
    } else {
      const uint8_t* const stop = long_word<P, Isa>(p, end, table, b);
      p = stop ? stop : next_piece(P, p, end);
      ends[count++] = static_cast<uint32_t>(p - base);
    }
  }
  at = p;
  return count;
}

template <class Isa>
Scan choose(Pattern pattern) {
  switch (pattern) {
    case Pattern::gpt2: return scan<Pattern::gpt2, Isa>;
    case Pattern::cl100k: return scan<Pattern::cl100k, Isa>;
    case Pattern::cl100k_end: return scan<Pattern::cl100k_end, Isa>;
    case Pattern::qwen2: return scan<Pattern::qwen2, Isa>;
    case Pattern::qwen35: return scan<Pattern::qwen35, Isa>;
    case Pattern::o200k: return scan<Pattern::o200k, Isa>;
    case Pattern::tekken: return scan<Pattern::tekken, Isa>;
    default: return nullptr;
  }
}

}  // namespace xcore::tokenizer::block
