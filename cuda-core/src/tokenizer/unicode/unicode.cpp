#include "tokenizer/unicode/unicode.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

#include "runtime/error.hpp"

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
#include "tokenizer/unicode/tables.inc"

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
};
// Stray bytes travel as values above the code points, so that they neither move nor compose.
constexpr uint32_t kStray = 0x40000000;

void decompose(uint32_t c, std::vector<Character>& out) {
  if (c < 0xc0 || c > 0x10ffff) {
    out.push_back({c, 0});
    return;
  }
  if (c - kS < kSCount) {
    const uint32_t s = c - kS;
    out.push_back({kL + s / (kVCount * kTCount), 0});
    out.push_back({kV + s % (kVCount * kTCount) / kTCount, 0});
    if (s % kTCount) out.push_back({kT + s % kTCount, 0});
    return;
  }
  const auto* d = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), c,
                                   [](const Decomposition& x, uint32_t v) { return x.code_point < v; });
  if (d == std::end(kDecompositions) || d->code_point != c) {
    out.push_back({c, combining_rank(c)});
    return;
  }
  for (uint32_t i = 0; i < d->count; ++i) {
    const uint32_t part = kDecomposed[d->first + i];
    out.push_back({part, combining_rank(part)});
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

void compose_all(std::vector<Character>& text) {
  size_t out = 0;
  size_t starter = SIZE_MAX;
  uint32_t last_rank = 0;  // of the character kept just before, since the starter
  bool adjacent = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const Character c = text[i];
    if (starter != SIZE_MAX && (adjacent || last_rank < c.rank)) {
      if (const uint32_t joined = compose(text[starter].code_point, c.code_point)) {
        text[starter].code_point = joined;
        continue;
      }
    }
    if (c.rank == 0) {
      starter = out;
      adjacent = true;
      last_rank = 0;
    } else {
      adjacent = false;
      last_rank = c.rank;
    }
    text[out++] = c;
  }
  text.resize(out);
}

}  // namespace

ClassTable::ClassTable() {
  size_t run = 0;
  uint16_t used = 0;
  for (uint32_t block = 0; block < 0x1100; ++block) {
    uint8_t values[256];
    for (uint32_t i = 0; i < 256; ++i) {
      const uint32_t c = block << 8 | i;
      while (run + 1 < std::size(kClassRuns) && kClassRuns[run + 1] >> 8 <= c) ++run;
      values[i] = static_cast<uint8_t>(kClassRuns[run]);
    }
    uint16_t same = 0;
    while (same < used && std::memcmp(blocks_[same], values, 256) != 0) ++same;
    if (same == std::size(blocks_)) throw Error(XC_INTERNAL, "the table of character classes is too small for its data");
    if (same == used) std::memcpy(blocks_[used++], values, 256);
    index_[block] = same;
  }
}

const ClassTable& ClassTable::get() {
  static const ClassTable table;
  return table;
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
  const auto* d = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), c,
                                   [](const Decomposition& x, uint32_t v) { return x.code_point < v; });
  if (d == std::end(kDecompositions) || d->code_point != c) return true;
  std::string own, normal;
  append_utf8(own, c);
  return !normalize_nfc(own, normal);
}

bool normalize_nfc(std::string_view text, std::string& out) {
  const uint8_t* p = bytes_of(text);
  const uint8_t* const end = p + text.size();
  // Below U+0300 every character is NFC and composes only with something above: 0xcc is the first byte of U+0300.
  if (std::none_of(p, end, [](uint8_t byte) { return byte >= 0xcc; })) return false;
  std::vector<Character> characters;
  characters.reserve(text.size());
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    if (c.value == kInvalid) {
      characters.push_back({kStray | *p, 0});
    } else {
      decompose(c.value, characters);
    }
    p += c.length;
  }
  for (size_t i = 0; i < characters.size();) {
    if (characters[i].rank == 0) {
      ++i;
      continue;
    }
    size_t j = i;
    while (j < characters.size() && characters[j].rank != 0) ++j;
    std::stable_sort(characters.begin() + i, characters.begin() + j,
                     [](const Character& a, const Character& b) { return a.rank < b.rank; });
    i = j;
  }
  compose_all(characters);
  std::string result;
  result.reserve(text.size());
  for (const Character& c : characters) {
    if (c.code_point & kStray) {
      result += static_cast<char>(c.code_point & 255);
    } else {
      append_utf8(result, c.code_point);
    }
  }
  if (result == text) return false;
  out = std::move(result);
  return true;
}

}  // namespace xcore::tokenizer
