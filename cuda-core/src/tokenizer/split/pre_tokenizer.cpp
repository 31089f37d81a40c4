#include "tokenizer/split/pre_tokenizer.hpp"

#include <algorithm>

#include "tokenizer/unicode/properties.hpp"

namespace xcore::tokenizer {
namespace {

// Part of a piece: a delimiter or what lies between two.
struct Part {
  Range range;
  bool match;
};

// The rules by which parts become pieces.
void arrange(const std::vector<Part>& parts, Behavior behavior, bool invert, std::vector<Range>& out) {
  const auto push = [&](const Range& r) {
    if (r.begin < r.end) out.push_back(r);
  };
  switch (behavior) {
    case Behavior::isolated:
      for (const Part& p : parts) push(p.range);
      return;
    case Behavior::removed:
      for (const Part& p : parts) {
        if (p.match == invert) push(p.range);
      }
      return;
    case Behavior::contiguous: {
      for (size_t i = 0; i < parts.size();) {
        size_t j = i + 1;
        while (j < parts.size() && parts[j].match == parts[i].match) ++j;
        push({parts[i].range.begin, parts[j - 1].range.end});
        i = j;
      }
      return;
    }
    case Behavior::merged_with_previous: {
      const size_t start = out.size();
      bool previous_match = false;
      for (const Part& p : parts) {
        const bool match = p.match != invert;
        if (match && !previous_match && out.size() > start) {
          out.back().end = p.range.end;
        } else {
          push(p.range);
        }
        previous_match = match;
      }
      return;
    }
    case Behavior::merged_with_next: {
      std::vector<Range> reversed;
      bool previous_match = false;
      for (size_t i = parts.size(); i-- > 0;) {
        const Part& p = parts[i];
        const bool match = p.match != invert;
        if (match && !previous_match && !reversed.empty()) {
          reversed.back().begin = p.range.begin;
        } else {
          reversed.push_back(p.range);
        }
        previous_match = match;
      }
      for (size_t i = reversed.size(); i-- > 0;) push(reversed[i]);
      return;
    }
  }
}

void parts_between(const Range& piece, const std::vector<Range>& matches, std::vector<Part>& parts) {
  uint32_t at = piece.begin;
  for (const Range& m : matches) {
    if (at < piece.begin + m.begin) parts.push_back({{at, piece.begin + m.begin}, false});
    parts.push_back({{piece.begin + m.begin, piece.begin + m.end}, true});
    at = piece.begin + m.end;
  }
  if (at < piece.end) parts.push_back({{at, piece.end}, false});
}

// Cuts every piece by `cut(piece's text, parts)`, whose parts are given from the start of the piece.
template <class F>
void cut_all(Pieces& pieces, Behavior behavior, bool invert, F&& cut) {
  std::vector<Range> out;
  out.reserve(pieces.pieces.size());
  std::vector<Part> parts;
  for (const Range& piece : pieces.pieces) {
    parts.clear();
    parts_between(piece, cut(pieces.text.text().substr(piece.begin, piece.end - piece.begin)), parts);
    arrange(parts, behavior, invert, out);
  }
  pieces.pieces = std::move(out);
}

// Each character of the set is a match by itself.
std::vector<Range> characters_in(std::string_view text, const CharSet& set, bool runs) {
  std::vector<Range> out;
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  for (const uint8_t* p = begin; p < end;) {
    const CodePoint c = decode_utf8(p, end);
    const auto at = static_cast<uint32_t>(p - begin);
    p += c.length;
    if (!set[c.value]) continue;
    if (runs && !out.empty() && out.back().end == at) {
      out.back().end = at + c.length;
    } else {
      out.push_back({at, at + c.length});
    }
  }
  return out;
}

// Pieces of a scanner, all of which are matches.
std::vector<Range> scan(Pattern pattern, std::string_view text) {
  std::vector<Range> out;
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  for (const uint8_t* p = begin; p < end;) {
    const uint8_t* const stop = next_piece(pattern, p, end);
    out.push_back({static_cast<uint32_t>(p - begin), static_cast<uint32_t>(stop - begin)});
    p = stop;
  }
  return out;
}

void byte_level(const PreTokenizer& p, Pieces& pieces, bool map) {
  if (p.prefix_space) {
    std::vector<bool> wanted;
    for (const Range& r : pieces.pieces) wanted.push_back(r.begin < r.end && pieces.text.text()[r.begin] != ' ');
    pieces.pieces = pieces.text.prepend_at(pieces.pieces, " ", wanted);
  }
  if (p.use_regex) cut_all(pieces, Behavior::isolated, false, [](std::string_view t) { return scan(Pattern::gpt2, t); });
  if (map) pieces.text.map_bytes(&pieces.pieces);
  pieces.bytes_mapped = true;
}

void metaspace(const PreTokenizer& p, Pieces& pieces, bool starts_text) {
  AlignedText& text = pieces.text;
  // Gaps between pieces would be searched as well; what is replaced there is in no piece and does no harm.
  text.replace(find_all(text.text(), " "), p.replacement, &pieces.pieces);
  if (p.prepend != PreTokenizer::never) {
    std::vector<bool> wanted;
    for (const Range& r : pieces.pieces) {
      const std::string_view piece = text.text().substr(r.begin, r.end - r.begin);
      bool put = !piece.empty() && piece.substr(0, p.replacement.size()) != p.replacement;
      if (p.prepend == PreTokenizer::first && put) {
        put = text.tracked() ? text.origin(r.begin, r.end).begin == 0 : starts_text && r.begin == 0;
      }
      wanted.push_back(put);
    }
    pieces.pieces = text.prepend_at(pieces.pieces, p.replacement, wanted);
  }
  if (p.cuts) {
    cut_all(pieces, Behavior::merged_with_next, false, [&](std::string_view t) { return find_all(t, p.replacement); });
  }
}

}  // namespace

void pre_tokenize(const PreTokenizer& p, Pieces& pieces, bool map, bool starts_text, regex::Budget& budget) {
  switch (p.kind) {
    case PreTokenizer::byte_level: byte_level(p, pieces, map); return;
    case PreTokenizer::split:
      cut_all(pieces, p.behavior, p.invert,
              [&](std::string_view t) { return p.pattern != Pattern::none ? scan(p.pattern, t) : p.needle.find(t, budget); });
      return;
    case PreTokenizer::metaspace: metaspace(p, pieces, starts_text); return;
    case PreTokenizer::digits:
      cut_all(pieces, Behavior::isolated, false,
              [&](std::string_view t) { return characters_in(t, number_characters(), !p.individual); });
      return;
    case PreTokenizer::punctuation:
      cut_all(pieces, p.behavior, false, [](std::string_view t) { return characters_in(t, punctuation_characters(), false); });
      return;
    case PreTokenizer::whitespace: {
      static const regex::Regex words(R"(\w+|[^\w\s]+)", regex::Dialect::fancy);
      const Needle needle{"", std::shared_ptr<const regex::Regex>(&words, [](const regex::Regex*) {})};
      cut_all(pieces, Behavior::removed, true, [&](std::string_view t) { return needle.find(t, budget); });
      return;
    }
    case PreTokenizer::whitespace_split:
      cut_all(pieces, Behavior::removed, false, [](std::string_view t) { return characters_in(t, space_characters(), false); });
      return;
    case PreTokenizer::bert:
      cut_all(pieces, Behavior::removed, false, [](std::string_view t) { return characters_in(t, space_characters(), false); });
      cut_all(pieces, Behavior::isolated, false, [](std::string_view t) { return characters_in(t, punctuation_characters(), false); });
      return;
    case PreTokenizer::delimiter:
      cut_all(pieces, Behavior::removed, false, [&](std::string_view t) { return find_all(t, p.needle.text); });
      return;
  }
}

}  // namespace xcore::tokenizer
