#include "tokenizer/pretokenize/pretokenize.hpp"

#include <string>

#include "tokenizer/pretokenize/deepseek.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

struct Char {
  uint8_t kind;    // CharacterClass bits
  uint8_t length;  // 0 at the end of the text
};

class Scanner {
 public:
  explicit Scanner(const uint8_t* end) : end_(end), table_(ClassTable::get()), ascii_(table_.ascii()) {}

  Char peek(const uint8_t* p) const {
    if (p >= end_) return {0, 0};
    if (*p < 0x80) return {ascii_[*p], 1};
    const CodePoint c = decode_utf8(p, end_);
    return {table_[c.value], static_cast<uint8_t>(c.length)};
  }
  // Past all characters that have one of the bits of `any`.
  const uint8_t* run(const uint8_t* p, uint8_t any) const {
    for (;;) {
      while (p < end_ && *p < 0x80 && (ascii_[*p] & any)) ++p;
      if (p >= end_ || *p < 0x80) return p;
      const Char c = peek(p);
      if (!(c.kind & any)) return p;
      p += c.length;
    }
  }
  const uint8_t* run_numbers(const uint8_t* p, int limit) const {
    for (; limit > 0; --limit) {
      const Char c = peek(p);
      if (!c.length || !(c.kind & kNumber)) break;
      p += c.length;
    }
    return p;
  }
  // Past all characters that have none of the bits of `none`.
  const uint8_t* run_other(const uint8_t* p, uint8_t none = kLetter | kNumber | kSpace) const {
    for (;;) {
      const Char c = peek(p);
      if (!c.length || (c.kind & none)) return p;
      p += c.length;
    }
  }
  // Past 's 't 're 've 'm 'll 'd, or p itself. `fold` ignores case; U+017F then counts as s.
  const uint8_t* contraction(const uint8_t* p, bool fold) const {
    if (p >= end_ || *p != '\'' || end_ - p < 2) return p;
    const auto lower = [&](uint8_t c) { return fold && c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + 32) : c; };
    const uint8_t a = lower(p[1]);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if (end_ - p < 3) return p;
    if (fold && p[1] == 0xc5 && p[2] == 0xbf) return p + 3;
    const uint8_t b = lower(p[2]);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    return p;
  }
  // White space at p: \s++$ when `to_end`, \s*[\r\n]+ when `lines`, then \s+(?!\S), then \s+.
  const uint8_t* space(const uint8_t* p, bool lines, bool to_end = false) const {
    const uint8_t* after_line = nullptr;
    const uint8_t* last = p;
    const uint8_t* q = p;
    for (;;) {
      const Char c = peek(q);
      if (!c.length || !(c.kind & kSpace)) break;
      last = q;
      if (*q == '\n' || *q == '\r') after_line = q + 1;
      q += c.length;
    }
    if (to_end && q == end_) return q;
    if (lines && after_line) return after_line;
    return q == end_ || last == p ? q : last;
  }

  const uint8_t* gpt2(const uint8_t* p) const {
    if (*p == '\'') {
      const uint8_t* q = contraction(p, false);
      if (q != p) return q;
    }
    const uint8_t* start = p;
    Char c = peek(p);
    if (*p == ' ') {
      const Char next = peek(p + 1);
      if (next.length && !(next.kind & kSpace)) {
        ++start;
        c = next;
      }
    }
    if (c.kind & kLetter) return run(start + c.length, kLetter);
    if (c.kind & kNumber) return run(start + c.length, kNumber);
    if (c.kind & kSpace) return space(p, false);
    return run_other(start + c.length);
  }

  struct Rest {
    int digits;
    uint8_t word = kLetter;
    bool slashes = false;
    bool space_to_end = false;
  };
  // What cl100k, qwen2, o200k and tekken share after their words: numbers, others, white space.
  const uint8_t* rest(const uint8_t* p, Char c, const Rest& r) const {
    const auto not_other = static_cast<uint8_t>(kSpace | kNumber | r.word);
    if (c.kind & kNumber) return run_numbers(p, r.digits);
    const uint8_t* start = p;
    if (*p == ' ') {
      const Char next = peek(p + 1);
      if (next.length && !(next.kind & not_other)) {
        ++start;
        c = next;
      }
    }
    if (c.kind & kSpace) return space(p, true, r.space_to_end);
    const uint8_t* q = run_other(start + c.length, not_other);
    while (q < end_ && (*q == '\r' || *q == '\n' || (r.slashes && *q == '/'))) ++q;
    return q;
  }

  const uint8_t* cl100k(const uint8_t* p, const Rest& r) const {
    if (*p == '\'') {
      const uint8_t* q = contraction(p, true);
      if (q != p) return q;
    }
    const Char c = peek(p);
    if (c.kind & r.word) return run(p + c.length, r.word);
    if (!(c.kind & kNumber) && *p != '\r' && *p != '\n') {
      const Char next = peek(p + c.length);
      if (next.kind & r.word) return run(p + c.length + next.length, r.word);
    }
    return rest(p, c, r);
  }

  // [Lu Lt Lm Lo M]*[Ll Lm Lo M]+ and, failing that, [Lu Lt Lm Lo M]+[Ll Lm Lo M]* from p; nullptr when neither.
  static bool is_upper(uint8_t k) { return (k & kMark) || ((k & kLetter) && !(k & kLower)); }
  static bool is_lower(uint8_t k) { return (k & kMark) || ((k & kLetter) && !(k & kUpper)); }
  const uint8_t* cased_first(const uint8_t* p) const {
    const uint8_t* caseless = nullptr;  // end of the last character that is in both sets
    for (;;) {
      const Char c = peek(p);
      if (!c.length || !is_upper(c.kind)) {
        if (c.length && is_lower(c.kind)) return run_lower(p);
        return caseless;
      }
      p += c.length;
      if (is_lower(c.kind)) caseless = p;
    }
  }
  const uint8_t* cased_second(const uint8_t* p) const {
    const uint8_t* q = p;
    for (;;) {
      const Char c = peek(q);
      if (!c.length || !is_upper(c.kind)) break;
      q += c.length;
    }
    return q == p ? nullptr : run_lower(q);
  }
  const uint8_t* run_lower(const uint8_t* p) const {
    for (;;) {
      const Char c = peek(p);
      if (!c.length || !is_lower(c.kind)) return p;
      p += c.length;
    }
  }
  const uint8_t* o200k(const uint8_t* p, int digits, bool contractions) const {
    const Char c = peek(p);
    const bool prefix = !(c.kind & (kLetter | kNumber)) && *p != '\r' && *p != '\n';
    const uint8_t* q = prefix ? cased_first(p + c.length) : nullptr;
    if (!q) q = cased_first(p);
    if (!q && prefix) q = cased_second(p + c.length);
    if (!q) q = cased_second(p);
    if (q) return contractions ? contraction(q, true) : q;
    return rest(p, c, {digits, kLetter, true, false});
  }

  const uint8_t* numbers(const uint8_t* p, bool single) const {
    const Char c = peek(p);
    if (c.kind & kNumber) return single ? p + c.length : run(p, kNumber);
    const uint8_t* q = p + c.length;
    for (;;) {
      const Char next = peek(q);
      if (!next.length || (next.kind & kNumber)) return q;
      q += next.length;
    }
  }

 private:
  const uint8_t* end_;
  const ClassTable& table_;
  const uint8_t* ascii_;
};

struct Known {
  const char* regex;
  Pattern pattern;
};
const Known kKnown[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", Pattern::gpt2},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", Pattern::gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Pattern::cl100k},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
     Pattern::cl100k},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Pattern::qwen2},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s+)",
     Pattern::cl100k_end},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
     Pattern::qwen35},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Pattern::o200k},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
     R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Pattern::tekken},
    {R"(\p{N})", Pattern::digit},
    {R"(\p{N}{1})", Pattern::digit},
    {R"(\p{N}+)", Pattern::digits},
};

}  // namespace

Pattern recognise(std::string_view regex) {
  for (const Known& k : kKnown) {
    if (regex == k.regex) return k.pattern;
  }
  return Pattern::none;
}

Pattern recognise(std::string_view first, std::string_view second, std::string_view third) {
  // The line ends stand in the file as characters or are written with a backslash.
  std::string written;
  for (const char c : third) written += c == '\r' ? "\\r" : c == '\n' ? "\\n" : std::string(1, c);
  const bool is_deepseek =
      first == R"(\p{N}{1,3})" && second == "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+" &&
      written == R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  return is_deepseek ? Pattern::deepseek : Pattern::none;
}

const uint8_t* next_piece(Pattern pattern, const uint8_t* at, const uint8_t* end) {
  const Scanner s(end);
  switch (pattern) {
    case Pattern::gpt2: return s.gpt2(at);
    case Pattern::cl100k: return s.cl100k(at, {3});
    case Pattern::cl100k_end: return s.cl100k(at, {3, kLetter, false, true});
    case Pattern::qwen2: return s.cl100k(at, {1});
    case Pattern::qwen35: return s.cl100k(at, {1, kLetter | kMark});
    case Pattern::o200k: return s.o200k(at, 3, true);
    case Pattern::tekken: return s.o200k(at, 1, false);
    case Pattern::deepseek: return next_piece_deepseek(at, end);
    case Pattern::digit: return s.numbers(at, true);
    case Pattern::digits: return s.numbers(at, false);
    case Pattern::none: break;
  }
  return end;
}

}  // namespace xcore::tokenizer
