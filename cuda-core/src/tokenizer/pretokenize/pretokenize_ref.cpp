// The expressions written out as alternatives of a small backtracking matcher on code points.
#include <functional>
#include <string>
#include <vector>

#include "tokenizer/pretokenize/deepseek.hpp"
#include "tokenizer/pretokenize/pretokenize.hpp"
#include "tokenizer/unicode/properties.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

struct Text {
  std::vector<uint32_t> points;
  std::vector<const uint8_t*> at;  // one more than points
};
using Set = std::function<bool(uint32_t)>;

bool is(uint32_t c, int bits) { return (ClassTable::get()[c] & bits) != 0; }

// set{least,most}, greedy. `word` instead of a set: one of these words, ignoring case if `fold`.
struct Part {
  Set set;
  size_t least = 1, most = 1;
  std::vector<std::u32string> words;
  bool fold = false;
  bool optional_words = false;
  bool not_before_nonspace = false;  // (?!\S)
  bool at_end = false;               // $
};
using Alternative = std::vector<Part>;

size_t match_words(const Part& part, const Text& t, size_t i) {
  for (const auto& w : part.words) {
    bool same = i + w.size() <= t.points.size();
    for (size_t k = 0; same && k < w.size(); ++k) {
      uint32_t c = t.points[i + k];
      if (part.fold && c >= 'A' && c <= 'Z') c += 32;
      if (part.fold && c == 0x17f) c = 's';
      same = c == w[k];
    }
    if (same) return i + w.size();
  }
  return SIZE_MAX;
}

// The end of the match of parts[k..] from i, or SIZE_MAX.
size_t match(const Alternative& parts, size_t k, const Text& t, size_t i) {
  if (k == parts.size()) return i;
  const Part& part = parts[k];
  if (part.not_before_nonspace) {
    return i < t.points.size() && !is(t.points[i], kSpace) ? SIZE_MAX : match(parts, k + 1, t, i);
  }
  if (part.at_end) return i < t.points.size() ? SIZE_MAX : match(parts, k + 1, t, i);
  if (!part.words.empty()) {
    const size_t after = match_words(part, t, i);
    if (after != SIZE_MAX) {
      const size_t end = match(parts, k + 1, t, after);
      if (end != SIZE_MAX) return end;
    }
    return part.optional_words ? match(parts, k + 1, t, i) : SIZE_MAX;
  }
  size_t n = 0;
  while (n < part.most && i + n < t.points.size() && part.set(t.points[i + n])) ++n;
  for (;; --n) {
    if (n < part.least) return SIZE_MAX;
    const size_t end = match(parts, k + 1, t, i + n);
    if (end != SIZE_MAX) return end;
    if (n == 0) return SIZE_MAX;
  }
}

std::vector<Alternative> alternatives(Pattern pattern) {
  constexpr size_t many = SIZE_MAX;
  const std::vector<std::u32string> words = {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};
  const Set letter = [](uint32_t c) { return is(c, kLetter); };
  const Set number = [](uint32_t c) { return is(c, kNumber); };
  const Set space = [](uint32_t c) { return is(c, kSpace); };
  const Set blank = [](uint32_t c) { return c == ' '; };
  const Set line = [](uint32_t c) { return c == '\r' || c == '\n'; };
  const Set line_or_slash = [](uint32_t c) { return c == '\r' || c == '\n' || c == '/'; };
  const Set other = [](uint32_t c) { return !is(c, kSpace | kLetter | kNumber); };
  const Set before_letters = [](uint32_t c) { return c != '\r' && c != '\n' && !is(c, kLetter | kNumber); };
  const Set upper = [](uint32_t c) { return is(c, kMark) || (is(c, kLetter) && !is(c, kLower)); };
  const Set lower = [](uint32_t c) { return is(c, kMark) || (is(c, kLetter) && !is(c, kUpper)); };
  const auto one_of = [](const Set& s, size_t least, size_t most) { return Part{s, least, most, {}, false, false, false, false}; };
  const auto word = [&](bool fold, bool optional) { return Part{{}, 1, 1, words, fold, optional, false, false}; };
  const Part ahead{{}, 0, 0, {}, false, false, true, false};
  const Part at_end{{}, 0, 0, {}, false, false, false, true};

  switch (pattern) {
    case Pattern::gpt2:
      return {{word(false, false)},
              {one_of(blank, 0, 1), one_of(letter, 1, many)},
              {one_of(blank, 0, 1), one_of(number, 1, many)},
              {one_of(blank, 0, 1), one_of(other, 1, many)},
              {one_of(space, 1, many), ahead},
              {one_of(space, 1, many)}};
    case Pattern::cl100k:
    case Pattern::cl100k_end:
    case Pattern::qwen2:
    case Pattern::qwen35: {
      const bool marks = pattern == Pattern::qwen35;
      const Set word_set = [=](uint32_t c) { return is(c, marks ? kLetter | kMark : kLetter); };
      const Set not_word = [=](uint32_t c) { return other(c) && !word_set(c); };
      std::vector<Alternative> all = {
          {word(true, false)},
          {one_of(before_letters, 0, 1), one_of(word_set, 1, many)},
          {one_of(number, 1, pattern == Pattern::cl100k || pattern == Pattern::cl100k_end ? 3 : 1)},
          {one_of(blank, 0, 1), one_of(not_word, 1, many), one_of(line, 0, many)}};
      if (pattern == Pattern::cl100k_end) all.push_back({one_of(space, 1, many), at_end});
      all.insert(all.end(), {{one_of(space, 0, many), one_of(line, 1, many)},
                             {one_of(space, 1, many), ahead},
                             {one_of(space, 1, many)}});
      return all;
    }
    case Pattern::o200k:
    case Pattern::tekken: {
      Alternative first = {one_of(before_letters, 0, 1), one_of(upper, 0, many), one_of(lower, 1, many)};
      Alternative second = {one_of(before_letters, 0, 1), one_of(upper, 1, many), one_of(lower, 0, many)};
      if (pattern == Pattern::o200k) {
        first.push_back(word(true, true));
        second.push_back(word(true, true));
      }
      return {first,
              second,
              {one_of(number, 1, pattern == Pattern::o200k ? 3 : 1)},
              {one_of(blank, 0, 1), one_of(other, 1, many), one_of(line_or_slash, 0, many)},
              {one_of(space, 0, many), one_of(line, 1, many)},
              {one_of(space, 1, many), ahead},
              {one_of(space, 1, many)}};
    }
    case Pattern::deepseek: {
      static const RangeSet signs = [] {
        RangeSet out, symbols;
        property("P", out);
        property("S", symbols);
        out.add(symbols);
        out.normalise();
        return out;
      }();
      const Set sign = [](uint32_t c) { return c != kInvalid && signs.contains(c); };
      const Set ascii_sign = [=](uint32_t c) { return c < 0x80 && sign(c); };
      const Set ascii_letter = [](uint32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
      const Set before_word = [=](uint32_t c) { return !line(c) && !letter(c) && !sign(c); };
      const Set word_set = [](uint32_t c) { return is(c, kLetter | kMark); };
      return {{one_of(ascii_sign, 1, 1), one_of(ascii_letter, 1, many)},
              {one_of(before_word, 0, 1), one_of(word_set, 1, many)},
              {one_of(blank, 0, 1), one_of(sign, 1, many), one_of(line, 0, many)},
              {one_of(space, 0, many), one_of(line, 1, many)},
              {one_of(space, 1, many), ahead},
              {one_of(space, 1, many)}};
    }
    case Pattern::digit:
      return {{one_of(number, 1, 1)}, {one_of([=](uint32_t c) { return !number(c); }, 1, many)}};
    case Pattern::digits:
      return {{one_of(number, 1, many)}, {one_of([=](uint32_t c) { return !number(c); }, 1, many)}};
    case Pattern::none:
      break;
  }
  return {};
}

// The three expressions of DeepSeek V3 one after another.
size_t deepseek(const Text& t) {
  const auto& c = t.points;
  const auto number = [&](size_t i) { return i < c.size() && is(c[i], kNumber); };
  const auto cjk = [&](size_t i) { return i < c.size() && is_deepseek_cjk(c[i]); };
  size_t n = 0;
  while (n < 3 && number(n)) ++n;
  if (n > 0) return n;
  while (cjk(n)) ++n;
  if (n > 0) return n;
  while (n < c.size() && !number(n) && !cjk(n)) ++n;
  const Text stretch{{c.begin(), c.begin() + static_cast<ptrdiff_t>(n)}, {}};
  for (size_t i = 0; i < n; ++i) {
    for (const Alternative& a : alternatives(Pattern::deepseek)) {
      const size_t stop = match(a, 0, stretch, i);
      if (stop != SIZE_MAX && stop > i) return i > 0 ? i : stop;
    }
  }
  return n;
}

}  // namespace

const uint8_t* next_piece_ref(Pattern pattern, const uint8_t* at, const uint8_t* end) {
  Text t;
  for (const uint8_t* p = at; p < end;) {
    const CodePoint c = decode_utf8(p, end);
    t.points.push_back(c.value);
    t.at.push_back(p);
    p += c.length;
  }
  t.at.push_back(end);
  if (pattern == Pattern::deepseek) return t.at[deepseek(t)];
  for (const Alternative& a : alternatives(pattern)) {
    const size_t stop = match(a, 0, t, 0);
    if (stop != SIZE_MAX && stop > 0) return t.at[stop];
  }
  return end;
}

}  // namespace xcore::tokenizer
