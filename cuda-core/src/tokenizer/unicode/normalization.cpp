#include "tokenizer/unicode/normalization.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "tokenizer/unicode/properties.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

struct Decomposition {
  uint32_t code_point;
  uint16_t first;
  uint16_t count;
};
struct Composition {
  uint32_t first, second, composed;
};
#include "tokenizer/unicode/decompositions.inc"

// Hangul syllables compose by arithmetic (The Unicode Standard, section 3.12).
constexpr uint32_t kL = 0x1100, kV = 0x1161, kT = 0x11a7, kS = 0xac00;
constexpr uint32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

uint32_t combining_rank(uint32_t c) {
  if (c < 0x300) return 0;
  const auto* run = std::upper_bound(std::begin(kCombiningRuns), std::end(kCombiningRuns), c << 8 | 255);
  return run == std::begin(kCombiningRuns) ? 0 : run[-1] & 255;
}

struct Character {
  uint32_t code_point;
  uint32_t rank;
  int32_t change;
};

void push_all(const uint32_t* points, uint32_t count, std::vector<Character>& out) {
  for (uint32_t i = 0; i < count; ++i) out.push_back({points[i], combining_rank(points[i]), i > 0});
}

void decompose(uint32_t c, bool compatible, std::vector<Character>& out) {
  if (c < 0xa0 || c > kLastCodePoint) {
    out.push_back({c, 0, 0});
    return;
  }
  if (c - kS < kSCount) {
    const uint32_t s = c - kS;
    const uint32_t parts[3] = {kL + s / (kVCount * kTCount), kV + s % (kVCount * kTCount) / kTCount, kT + s % kTCount};
    push_all(parts, s % kTCount ? 3 : 2, out);
    return;
  }
  if (compatible) {
    const CodePoints parts = compatibility_decomposition(c);
    if (parts.count > 0) {
      push_all(parts.data, parts.count, out);
      return;
    }
  }
  const auto* d = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), c,
                                   [](const Decomposition& x, uint32_t v) { return x.code_point < v; });
  if (d == std::end(kDecompositions) || d->code_point != c) {
    push_all(&c, 1, out);
  } else {
    push_all(kDecomposed + d->first, d->count, out);
  }
}

// 0 when the two do not compose.
uint32_t compose(uint32_t a, uint32_t b) {
  if (a - kL < kLCount && b - kV < kVCount) return kS + ((a - kL) * kVCount + (b - kV)) * kTCount;
  if (a - kS < kSCount && (a - kS) % kTCount == 0 && b - kT - 1 < kTCount - 1) return a + (b - kT);
  const auto* c = std::lower_bound(std::begin(kCompositions), std::end(kCompositions), std::pair(a, b),
                                   [](const Composition& x, const std::pair<uint32_t, uint32_t>& v) {
                                     return std::pair(x.first, x.second) < v;
                                   });
  return c != std::end(kCompositions) && c->first == a && c->second == b ? c->composed : 0;
}

void order_marks(std::vector<Character>& text) {
  for (size_t i = 0; i < text.size();) {
    if (text[i].rank == 0) {
      ++i;
      continue;
    }
    size_t j = i;
    while (j < text.size() && text[j].rank != 0) ++j;
    std::stable_sort(text.begin() + static_cast<ptrdiff_t>(i), text.begin() + static_cast<ptrdiff_t>(j),
                     [](const Character& a, const Character& b) { return a.rank < b.rank; });
    i = j;
  }
}

void compose_all(std::vector<Character>& text) {
  size_t out = 0;
  size_t starter = SIZE_MAX;
  uint32_t last_rank = 0;  // of the character kept just before, since the starter
  bool adjacent = false;
  for (const Character c : text) {
    if (starter != SIZE_MAX && (adjacent || last_rank < c.rank)) {
      if (const uint32_t joined = compose(text[starter].code_point, c.code_point)) {
        text[starter].code_point = joined;
        text[starter].change += c.change - 1;
        continue;
      }
    }
    adjacent = c.rank == 0;
    last_rank = c.rank;
    if (adjacent) starter = out;
    text[out++] = c;
  }
  text.resize(out);
}

void characters_of(NormalForm form, std::string_view text, std::vector<Character>& out) {
  const uint8_t* p = bytes_of(text);
  const uint8_t* const end = p + text.size();
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  out.reserve(text.size());
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    decompose(character_at(p, c), compatible, out);
    p += c.length;
  }
  order_marks(out);
  if (form == NormalForm::nfc || form == NormalForm::nfkc) compose_all(out);
}

}  // namespace

bool surely_normal(NormalForm form, std::string_view text) {
  // NFC: below U+0300 every character is normal and composes only with something above; 0xcc is the first byte of U+0300.
  // NFD: the first decomposition is U+00C0, 0xc3. NFKC, NFKD: U+00A0, 0xc2.
  const uint8_t first = form == NormalForm::nfc ? 0xcc : form == NormalForm::nfd ? 0xc3 : 0xc2;
  const uint8_t* const begin = bytes_of(text);
  return std::none_of(begin, begin + text.size(), [first](uint8_t byte) { return byte >= first; });
}

void normalization_edits(NormalForm form, std::string_view text, std::vector<Edit>& out) {
  std::vector<Character> characters;
  characters_of(form, text, characters);
  out.reserve(out.size() + characters.size());
  for (const Character& c : characters) out.push_back({c.code_point, c.change});
}

bool normalize_nfc(std::string_view text, std::string& out) {
  if (surely_normal(NormalForm::nfc, text)) return false;
  std::vector<Character> characters;
  characters_of(NormalForm::nfc, text, characters);
  std::string result;
  result.reserve(text.size());
  for (const Character& c : characters) append_character(result, c.code_point);
  if (result == text) return false;
  out = std::move(result);
  return true;
}

bool nfc_inert(uint32_t c) {
  if (c < 0x300) return true;  // decomposable ones compose again; nothing below joins to what precedes it
  if (combining_rank(c) != 0 || c - kV < kVCount || c - kT - 1 < kTCount - 1) return false;
  static const std::vector<uint32_t> seconds = [] {
    std::vector<uint32_t> all;
    for (const Composition& x : kCompositions) all.push_back(x.second);
    std::sort(all.begin(), all.end());
    return all;
  }();
  if (std::binary_search(seconds.begin(), seconds.end(), c)) return false;
  std::vector<Character> normal;
  decompose(c, false, normal);
  order_marks(normal);
  compose_all(normal);
  return normal.size() == 1 && normal[0].code_point == c;
}

}  // namespace xcore::tokenizer
