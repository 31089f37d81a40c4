// Encoding as it is defined, plain and slow: added tokens tried one by one, pieces by the backtracking matcher, merging by the
// loop over all pairs, no memo, no seams. What encode() makes of a text in its many faster ways must be this.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/properties.hpp"
#include "tokenizer/unicode/unicode.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {

class Definition {
 public:
  // The tokenizer must stay where it is.
  explicit Definition(const Tokenizer& tokenizer) : model_(tokenizer.model()), pairs_(tokenizer.pairs()) {
    for (const AddedToken& t : model_.added) {
      AddedToken own = t;
      if (t.normalized) {
        AlignedText content;
        content.assign(t.content, 0, false);
        regex::Budget budget(t.content.size());
        for (const Normalizer& n : model_.pipeline.normalizers) n.apply(content, budget);
        own.content.assign(content.text());
      }
      if (!own.content.empty()) (t.normalized ? normalized_ : raw_)[static_cast<uint8_t>(own.content[0])].push_back(own);
    }
    const bool characters = model_.kind == Kind::sentencepiece;
    const auto size = static_cast<uint32_t>(model_.tokens.size());
    const StringTable& contents = characters ? model_.tokens : model_.bytes;
    for (uint32_t id = 0; id < size; ++id) {
      if (model_.model_token[id] && !contents[id].empty()) whole_.emplace(contents[id], id);
    }
    if (!characters) return;
    // Characters that are no tokens but parts of some are symbols too, numbered as they are met.
    uint32_t next = size;
    for (uint32_t id = 0; id < size; ++id) {
      if (!model_.model_token[id]) continue;
      each_character(model_.tokens[id], [&](std::string_view c, uint32_t) {
        const auto own = whole_.find(c);
        if (symbols_.emplace(c, own != whole_.end() ? own->second : next).second && own == whole_.end()) ++next;
      });
    }
    unknown_symbol_ = next;
  }

  // Whether the model is of the kind that is defined here: not of general components, affixes among them.
  bool covers() const { return model_.pipeline.simple; }

  // flags: XC_ENCODE_*.
  std::vector<uint32_t> encode(std::string_view text, uint32_t flags) const {
    const bool special = (flags & XC_ENCODE_PARSE_SPECIAL) != 0;
    std::vector<uint32_t> out;
    if (flags & XC_ENCODE_ADD_SPECIAL) out = model_.prefix;
    bool after_special = (flags & XC_ENCODE_CONTINUE) == 0;
    for (size_t at = 0; at < text.size();) {
      const Match match = find(raw_, text, at, special);
      if (match.begin > at) {
        segment(text.substr(at, match.begin - at), special, after_special, at == 0, out);
        after_special = false;
      }
      if (match.token) {
        out.push_back(match.token->id);
        after_special = true;
      }
      at = match.end;
    }
    if (flags & XC_ENCODE_ADD_SPECIAL) out.insert(out.end(), model_.suffix.begin(), model_.suffix.end());
    return out;
  }

 private:
  using ByFirstByte = std::map<uint8_t, std::vector<AddedToken>>;
  struct Match {
    size_t begin, end;
    const AddedToken* token;
  };

  template <class F>
  static void each_character(std::string_view text, F&& use) {
    const uint8_t* const end = bytes_of(text) + text.size();
    for (const uint8_t* p = bytes_of(text); p < end;) {
      const CodePoint c = decode_utf8(p, end);
      use(std::string_view(reinterpret_cast<const char*>(p), c.length), c.value);
      p += c.length;
    }
  }

  // The rules of AddedTokens::find, one place and one token after the other.
  static Match find(const ByFirstByte& tokens, std::string_view text, size_t from, bool special) {
    const uint8_t* const begin = bytes_of(text);
    const uint8_t* const end = begin + text.size();
    const auto is_space = [](uint32_t c) { return (ClassTable::get()[c] & kSpace) != 0; };
    for (size_t at = from; at < text.size();) {
      const AddedToken* found = nullptr;
      const auto candidates = tokens.find(static_cast<uint8_t>(text[at]));
      if (candidates != tokens.end()) {
        for (const AddedToken& t : candidates->second) {
          if (text.compare(at, t.content.size(), t.content) == 0 && (!found || t.content.size() > found->content.size())) found = &t;
        }
      }
      if (!found) {
        ++at;
        continue;
      }
      size_t start = at, stop = at + found->content.size();
      at = stop;
      if (found->special && !special) continue;
      if (found->single_word) {
        if (start > 0 && word_characters()[decode_utf8_before(begin, begin + start).value]) continue;
        if (stop < text.size() && word_characters()[decode_utf8(begin + stop, end).value]) continue;
      }
      while (found->lstrip && start > from) {
        const CodePoint c = decode_utf8_before(begin, begin + start);
        if (!is_space(c.value) || start - c.length < from) break;
        start -= c.length;
      }
      while (found->rstrip && stop < text.size() && is_space(decode_utf8(begin + stop, end).value)) stop += decode_utf8(begin + stop, end).length;
      return {start, stop, found};
    }
    return {text.size(), text.size(), nullptr};
  }

  // Between added tokens.
  void segment(std::string_view text, bool special, bool after_special, bool starts_text, std::vector<uint32_t>& out) const {
    if (model_.kind == Kind::sentencepiece) return characters(text, after_special, starts_text, out);
    std::string normalized;
    if (model_.nfc && normalize_nfc(text, normalized)) text = normalized;
    for (size_t at = 0; at < text.size();) {
      const Match match = find(normalized_, text, at, special);
      if (match.begin > at) split(0, text.substr(at, match.begin - at), out);
      if (match.token) out.push_back(match.token->id);
      at = match.end;
    }
  }

  void split(size_t step, std::string_view text, std::vector<uint32_t>& out) const {
    if (text.empty()) return;
    if (step == model_.steps.size()) return bytes(text, out);
    const PreTokenizerStep& s = model_.steps[step];
    std::string spaced;
    if (s.prefix_space && text[0] != ' ') text = spaced = " " + std::string(text);
    // The matcher decodes all that is left for each piece.
    const auto next = text.size() <= 512 ? next_piece_ref : next_piece;
    const uint8_t* const end = bytes_of(text) + text.size();
    for (const uint8_t* p = bytes_of(text); p < end;) {
      const uint8_t* const stop = next(s.pattern, p, end);
      split(step + 1, {reinterpret_cast<const char*>(p), static_cast<size_t>(stop - p)}, out);
      p = stop;
    }
  }

  void bytes(std::string_view piece, std::vector<uint32_t>& out) const {
    if (model_.ignore_merges) {
      const auto own = whole_.find(piece);
      if (own != whole_.end()) return out.push_back(own->second);
    }
    std::vector<uint32_t> ids;
    bool after_unknown = false;
    for (const char b : piece) {
      const uint32_t id = model_.byte_token[static_cast<uint8_t>(b)];
      const bool again = id == kNoId && after_unknown && model_.fuse_unknown;
      if (id != kNoId || (model_.unknown != kNoId && !again)) ids.push_back(id != kNoId ? id : model_.unknown);
      after_unknown = id == kNoId;
    }
    out.insert(out.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(merge_ref(pairs_, ids.data(), ids.size())));
  }

  void characters(std::string_view text, bool after_special, bool starts_text, std::vector<uint32_t>& out) const {
    const std::string blank = "\xe2\x96\x81";
    std::string escaped;
    const bool has_blank = text[0] == ' ' || text.substr(0, blank.size()) == blank;
    if (model_.space_prefix && after_special && (!model_.prefix_first_only || starts_text) && !(model_.prefix_unless_blank && has_blank)) escaped = blank;
    for (const char c : text) escaped += c == ' ' ? blank : std::string(1, c);
    std::vector<uint32_t> symbols;
    each_character(escaped, [&](std::string_view c, uint32_t value) {
      const auto known = value == kInvalid ? symbols_.end() : symbols_.find(c);
      symbols.push_back(known == symbols_.end() ? unknown_symbol_ : known->second);
    });
    symbols.resize(merge_ref(pairs_, symbols.data(), symbols.size()));
    bool after_unknown = false;
    size_t at = 0;
    for (const uint32_t symbol : symbols) {
      if (symbol < model_.tokens.size()) {
        out.push_back(symbol);
        at += model_.tokens[symbol].size();
        after_unknown = false;
        continue;
      }
      const size_t stop = at + decode_utf8(bytes_of(escaped) + at, bytes_of(escaped) + escaped.size()).length;
      for (; at < stop; ++at) {
        const uint32_t byte = model_.byte_token[static_cast<uint8_t>(escaped[at])];
        const bool again = byte == kNoId && after_unknown && model_.fuse_unknown;
        if (byte != kNoId || (model_.unknown != kNoId && !again)) out.push_back(byte != kNoId ? byte : model_.unknown);
        after_unknown = byte == kNoId;
      }
    }
  }

  const Model& model_;
  const PairTable pairs_;
  ByFirstByte raw_, normalized_;
  std::unordered_map<std::string_view, uint32_t> whole_;    // tokens by their content
  std::unordered_map<std::string_view, uint32_t> symbols_;  // of characters
  uint32_t unknown_symbol_ = 0;
};

}  // namespace xcore::tokenizer
