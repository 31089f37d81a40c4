#include "tokenizer/normalize/normalizer.hpp"

#include "tokenizer/byte_level.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace xcore::tokenizer {
namespace {

template <class F>
void each_character(std::string_view text, F&& use) {
  const uint8_t* p = bytes_of(text);
  const uint8_t* const end = p + text.size();
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    use(character_at(p, c));
    p += c.length;
  }
}

void strip(AlignedText& text, bool left, bool right) {
  std::vector<uint32_t> characters;
  each_character(text.text(), [&](uint32_t c) { characters.push_back(c); });
  size_t first = 0, last = characters.size();
  const CharSet& space = space_characters();
  while (left && first < last && space[characters[first]]) ++first;
  while (right && last > first && space[characters[last - 1]]) --last;
  if (first == 0 && last == characters.size()) return;
  std::vector<Edit> edits;
  for (size_t i = first; i < last; ++i) edits.push_back({characters[i], 0});
  if (!edits.empty()) edits.back().change = -static_cast<int32_t>(characters.size() - last);
  text.transform(edits, first);
}

void to_lower(AlignedText& text) {
  std::vector<Edit> edits;
  each_character(text.text(), [&](uint32_t c) {
    const auto [first, second] = lower_case(c);
    edits.push_back({first, 0});
    if (second) edits.push_back({second, 1});
  });
  text.transform(edits);
}

void to_form(AlignedText& text, NormalForm form) {
  if (surely_normal(form, text.text())) return;
  std::vector<Edit> edits;
  normalization_edits(form, text.text(), edits);
  text.transform(edits);
}

void replace_characters(AlignedText& text, uint32_t (*change)(uint32_t)) {
  std::vector<Edit> edits;
  each_character(text.text(), [&](uint32_t c) { edits.push_back({change(c), 0}); });
  text.transform(edits);
}

bool is_control(uint32_t c) {
  static const CharSet set = [] {
    RangeSet s;
    property("C", s);
    return CharSet(s);
  }();
  return c != '\t' && c != '\n' && c != '\r' && set[c];
}

// CJK ideographs as BERT's tokenizer delimits them.
bool is_chinese(uint32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

const CharSet& nonspacing_marks() {
  static const CharSet set = [] {
    RangeSet s;
    property("Mn", s);
    return CharSet(s);
  }();
  return set;
}

void bert(const Normalizer& n, AlignedText& text) {
  if (n.clean) {
    text.filter([](uint32_t c) { return c != 0 && c != 0xfffd && !is_control(c); });
    replace_characters(text, [](uint32_t c) { return space_characters()[c] ? uint32_t{' '} : c; });
  }
  if (n.chinese) {
    std::vector<Edit> edits;
    each_character(text.text(), [&](uint32_t c) {
      if (is_chinese(c)) {
        edits.insert(edits.end(), {{' ', 0}, {c, 1}, {' ', 1}});
      } else {
        edits.push_back({c, 0});
      }
    });
    text.transform(edits);
  }
  if (n.accents) {
    to_form(text, NormalForm::nfd);
    text.filter([](uint32_t c) { return !nonspacing_marks()[c]; });
  }
  if (n.lower) to_lower(text);
}

void nmt(AlignedText& text) {
  text.filter([](uint32_t c) {
    return !((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f);
  });
  replace_characters(text, [](uint32_t c) {
    const bool blank = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
                       c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
    return blank ? uint32_t{' '} : c;
  });
}

}  // namespace

std::vector<Range> Needle::find(std::string_view in, regex::Budget& budget) const {
  if (!regex) return find_all(in, text);
  std::vector<Range> out;
  const uint8_t* const begin = bytes_of(in);
  const uint8_t* const end = begin + in.size();
  regex::Match match;
  const uint8_t* last = nullptr;  // the end of the match before
  for (const uint8_t* at = begin; at <= end && regex->find(begin, end, at, match, budget);) {
    const bool empty = match.begin == match.end;
    // An empty match right after another is none.
    if (!empty || match.begin != last) out.push_back({static_cast<uint32_t>(match.begin - begin), static_cast<uint32_t>(match.end - begin)});
    last = match.end;
    if (!empty) {
      at = match.end;
    } else {
      if (match.end >= end) break;
      at = match.end + decode_utf8(match.end, end).length;
    }
  }
  return out;
}

void Normalizer::apply(AlignedText& text, regex::Budget& budget) const {
  if (text.text().empty()) return;
  switch (kind) {
    case form: to_form(text, normal_form); return;
    case lowercase: to_lower(text); return;
    case strip_accents:
      text.filter([](uint32_t c) { return !mark_characters()[c]; });
      return;
    case strip: tokenizer::strip(text, left, right); return;
    case replace: text.replace(needle.find(text.text(), budget), content); return;
    case prepend: text.prepend(content); return;
    case byte_level: text.map_bytes(); return;
    case Normalizer::nmt: tokenizer::nmt(text); return;
    case Normalizer::bert: tokenizer::bert(*this, text); return;
  }
}

}  // namespace xcore::tokenizer
