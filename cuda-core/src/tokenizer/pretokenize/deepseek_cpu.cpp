#include "tokenizer/pretokenize/deepseek.hpp"

#include <array>

#include "tokenizer/unicode/properties.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

constexpr uint8_t kSign = 64;      // \p{P} or \p{S}
constexpr uint8_t kBoundary = 128;  // a number, Chinese or Japanese: the stretch before it ends as a text does
constexpr uint8_t kWord = kLetter | kMark;

// CharacterClass bits, and these two.
class Kinds {
 public:
  static const Kinds& get() {
    static const Kinds kinds;
    return kinds;
  }
  uint8_t operator[](uint32_t c) const { return c < first_.size() ? first_[c] : c == kInvalid ? 0 : of(c); }

 private:
  Kinds() : signs_(signs()) {
    for (uint32_t c = 0; c < first_.size(); ++c) first_[c] = of(c);
  }
  static RangeSet signs() {
    RangeSet punctuation, symbols;
    property("P", punctuation);
    property("S", symbols);
    punctuation.add(symbols);
    punctuation.normalise();
    return punctuation;
  }
  uint8_t of(uint32_t c) const {
    uint8_t kind = ClassTable::get()[c];
    if ((kind & kNumber) || is_deepseek_cjk(c)) kind |= kBoundary;
    if (signs_[c]) kind |= kSign;
    return kind;
  }
  CharSet signs_;
  std::array<uint8_t, 0x10000> first_{};
};

struct Char {
  uint8_t kind;
  uint8_t length;  // 0 at the end of the stretch
};

bool is_line_end(uint8_t b) { return b == '\r' || b == '\n'; }
bool is_ascii_letter(uint8_t b) { return static_cast<uint8_t>((b | 32) - 'a') < 26; }

class Stretch {
 public:
  explicit Stretch(const uint8_t* end) : end_(end), kinds_(Kinds::get()) {}

  Char peek(const uint8_t* p) const {
    if (p >= end_) return {0, 0};
    const CodePoint c = *p < 0x80 ? CodePoint{*p, 1} : decode_utf8(p, end_);
    const uint8_t kind = kinds_[c.value];
    return {kind, static_cast<uint8_t>(kind & kBoundary ? 0 : c.length)};
  }

  // Past all characters that have one of the bits of `any`.
  const uint8_t* run(const uint8_t* p, uint8_t any) const {
    for (Char c = peek(p); c.length && (c.kind & any); c = peek(p)) p += c.length;
    return p;
  }

  // The end of the match at p, p before the end of the stretch; nullptr where there is none.
  const uint8_t* match(const uint8_t* p) const {
    const Char c = peek(p);
    if (*p < 0x80 && (c.kind & kSign) && p + 1 < end_ && is_ascii_letter(p[1])) {
      for (p += 2; p < end_ && is_ascii_letter(*p);) ++p;
      return p;
    }
    if (c.kind & kLetter) return run(p + c.length, kWord);
    if (!(c.kind & kSign) && !is_line_end(*p)) {
      const Char next = peek(p + c.length);
      if (next.length && (next.kind & kWord)) return run(p + c.length + next.length, kWord);
      if (c.kind & kMark) return p + c.length;
    }
    const uint8_t* signs = p;
    Char first = c;
    if (*p == ' ') first = peek(++signs);
    if (first.length && (first.kind & kSign)) {
      const uint8_t* q = run(signs + first.length, kSign);
      while (q < end_ && is_line_end(*q)) ++q;
      return q;
    }
    return c.kind & kSpace ? space(p) : nullptr;
  }

 private:
  // \s*[\r\n]+, then \s+(?!\S), then \s+.
  const uint8_t* space(const uint8_t* p) const {
    const uint8_t* after_line = nullptr;
    const uint8_t* last = p;
    const uint8_t* q = p;
    Char c = peek(q);
    for (; c.length && (c.kind & kSpace); c = peek(q)) {
      last = q;
      q += c.length;
      if (is_line_end(*last)) after_line = q;
    }
    if (after_line) return after_line;
    return c.length == 0 || last == p ? q : last;
  }

  const uint8_t* end_;
  const Kinds& kinds_;
};

}  // namespace

const uint8_t* next_piece_deepseek(const uint8_t* at, const uint8_t* end) {
  const Kinds& kinds = Kinds::get();
  CodePoint c = decode_utf8(at, end);
  const uint8_t* p = at + c.length;
  if (kinds[c.value] & kNumber) {
    for (int more = 2; more > 0 && p < end; --more, p += c.length) {
      c = decode_utf8(p, end);
      if (!(kinds[c.value] & kNumber)) break;
    }
    return p;
  }
  if (is_deepseek_cjk(c.value)) {
    for (; p < end; p += c.length) {
      c = decode_utf8(p, end);
      if (!is_deepseek_cjk(c.value)) break;
    }
    return p;
  }
  const Stretch stretch(end);
  if (const uint8_t* const stop = stretch.match(at)) return stop;
  // What matches nothing, up to what does.
  for (Char next = stretch.peek(p); next.length && !stretch.match(p); next = stretch.peek(p)) p += next.length;
  return p;
}

}  // namespace xcore::tokenizer
