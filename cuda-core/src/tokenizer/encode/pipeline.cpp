// Encoding step by step, as Hugging Face's tokenizers do it, with every token traced to the text: added tokens, normalisers,
// added tokens of normalised text, pre-tokenizers, and the model on each piece.
#include <algorithm>

#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/trace.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/encode/piece_encoder.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace xcore::tokenizer {
namespace {

constexpr std::string_view kBlank = "\xe2\x96\x81";

bool has_first_scheme(const Pipeline& p) {
  return !p.normalizers.empty() && std::any_of(p.steps.begin(), p.steps.end(), [](const PreTokenizer& s) {
    return s.kind == PreTokenizer::metaspace && s.prepend == PreTokenizer::first;
  });
}

// Byte offsets at character borders into code points or UTF-16 units.
class Positions {
 public:
  Positions(std::string_view text, bool utf16) : at_(text.size() + 1) {
    const uint8_t* const begin = bytes_of(text);
    const uint8_t* const end = begin + text.size();
    uint32_t count = 0;
    for (const uint8_t* p = begin; p < end;) {
      const CodePoint c = decode_utf8(p, end);
      for (uint32_t i = 0; i < c.length; ++i) at_[static_cast<size_t>(p - begin) + i] = count;
      count += utf16 && c.length == 4 ? 2 : 1;
      p += c.length;
    }
    at_[text.size()] = count;
  }
  uint32_t operator[](uint32_t byte) const { return at_[byte]; }

 private:
  std::vector<uint32_t> at_;
};

// Leaves white space out of a token's range. `space` counts what the token's characters begin and end with, which is not
// always what the text has there: a token may have been given a space that the text lacks.
struct Spaces {
  uint32_t leading = 0, trailing = 0;
};
Spaces spaces_of(std::string_view token, bool mapped) {
  Spaces s;
  const uint8_t* const begin = bytes_of(token);
  const uint8_t* const end = begin + token.size();
  const auto is_space = [&](uint32_t c) { return (mapped && c == 0x120) || space_characters()[c]; };
  for (const uint8_t* p = begin; p < end;) {
    const CodePoint c = decode_utf8(p, end);
    if (!is_space(c.value)) break;
    ++s.leading;
    p += c.length;
  }
  for (const uint8_t* p = end; p > begin;) {
    const CodePoint c = decode_utf8_before(begin, p);
    if (!is_space(c.value)) break;
    ++s.trailing;
    p -= c.length;
  }
  return s;
}

}  // namespace

void Tokenizer::encode_tokens(std::string_view text, uint32_t flags, OffsetUnit unit, std::vector<Token>& out) const {
  if (text.size() >= size_t{1} << 31) {
    throw error(XC_LIMIT_EXCEEDED, "text", -1, "the text has %zu bytes; one call takes less than 2 GiB", text.size());
  }
  const trace::OpTimer timer("tokenizer.encode", kCpu, text.size());
  const ScratchPool::Lease scratch(scratches_);
  std::vector<Token> tokens;
  run_pipeline(text, flags, true, *scratch, tokens);
  if (model_.pipeline.trim_offsets) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      Range& r = tokens[i].range;
      const bool added = (model_.flags[tokens[i].id] & XC_TOKEN_ADDED) != 0;
      // An added token is what it covers, stripped white space included.
      const std::string_view content = added ? text.substr(r.begin, r.end - r.begin) : model_.tokens[tokens[i].id];
      Spaces s = spaces_of(content, true);
      if (s.leading > 0 && (i == 0 || r.begin == 0) && model_.pipeline.trim_prefix_space) --s.leading;
      const uint8_t* const begin = bytes_of(text);
      for (; s.leading > 0 && r.begin < r.end; --s.leading) r.begin += decode_utf8(begin + r.begin, begin + text.size()).length;
      for (; s.trailing > 0 && r.end > r.begin; --s.trailing) r.end -= decode_utf8_before(begin, begin + r.end).length;
    }
  }
  if (unit != OffsetUnit::byte) {
    const Positions at(text, unit == OffsetUnit::utf16);
    for (Token& t : tokens) t.range = {at[t.range.begin], at[t.range.end]};
  }
  const auto around = [&](const std::vector<uint32_t>& ids) {
    if (!(flags & XC_ENCODE_ADD_SPECIAL)) return;
    for (const uint32_t id : ids) out.push_back({id, {0, 0}});
  };
  out.reserve(out.size() + tokens.size() + model_.prefix.size() + model_.suffix.size());
  around(model_.prefix);
  out.insert(out.end(), tokens.begin(), tokens.end());
  around(model_.suffix);
}

void Tokenizer::run_pipeline(std::string_view text, uint32_t flags, bool track, Scratch& scratch, std::vector<Token>& out) const {
  const bool special = (flags & XC_ENCODE_PARSE_SPECIAL) != 0;
  track = track || has_first_scheme(model_.pipeline);
  bool after_special = (flags & XC_ENCODE_CONTINUE) == 0;
  for (size_t at = 0; at < text.size();) {
    const auto match = added_.find(text, at, special);
    if (match.begin > at) {
      encode_segment(text.substr(at, match.begin - at), at, special, after_special, track, scratch, out);
      after_special = false;
    }
    if (match.token) {
      out.push_back({match.token->id, {static_cast<uint32_t>(match.begin), static_cast<uint32_t>(match.end)}});
      after_special = true;
    }
    at = match.end;
  }
}

void Tokenizer::encode_segment(std::string_view text, size_t offset, bool special, bool after_special, bool track, Scratch& scratch,
                               std::vector<Token>& out) const {
  Pieces whole;
  whole.text.assign(text, static_cast<uint32_t>(offset), track);
  regex::Budget budget(text.size());
  for (const Normalizer& n : model_.pipeline.normalizers) n.apply(whole.text, budget);
  const std::string_view normalized = whole.text.text();
  for (size_t at = 0; at < normalized.size();) {
    const auto match = added_normalized_.find(normalized, at, special);
    if (match.begin > at) {
      Pieces part;
      part.text = whole.text.slice(at, match.begin);
      part.pieces = {{0, static_cast<uint32_t>(match.begin - at)}};
      const bool starts_text = offset == 0 && at == 0;
      encode_pieces(part, starts_text, after_special, scratch, out);
      after_special = false;
    }
    if (match.token) {
      out.push_back({match.token->id, track ? whole.text.origin(match.begin, match.end) : Range{0, 0}});
      after_special = true;
    }
    at = match.end;
  }
}

void Tokenizer::encode_pieces(Pieces& part, bool starts_text, bool after_special, Scratch& scratch, std::vector<Token>& out) const {
  regex::Budget budget(part.text.text().size());
  for (const PreTokenizer& step : model_.pipeline.steps) pre_tokenize(step, part, model_.pipeline.map_bytes, starts_text, budget);
  if (model_.kind == Kind::sentencepiece && !model_.pipeline.described) {
    const bool prefix = wants_prefix(part.text.text(), after_special, starts_text);
    part.text.replace(find_all(part.text.text(), " "), kBlank, &part.pieces);
    if (prefix) part.pieces = part.text.prepend_at(part.pieces, kBlank, std::vector<bool>(part.pieces.size(), true));
  }
  const bool mapped = std::any_of(model_.pipeline.normalizers.begin(), model_.pipeline.normalizers.end(),
                                  [](const Normalizer& n) { return n.kind == Normalizer::byte_level; });
  if (model_.kind == Kind::byte_level && (mapped || model_.pipeline.map_bytes)) part.text.unmap_bytes(&part.pieces);
  for (const Range& piece : part.pieces) {
    if (piece.begin < piece.end) {
      encode_unit(part.text.text().substr(piece.begin, piece.end - piece.begin), piece.begin, part.text, scratch, out);
    }
  }
}

// The model on one piece, which starts at `begin` of `text`. A token stands for as much of the piece as its own bytes say.
void Tokenizer::encode_unit(std::string_view piece, size_t begin, const AlignedText& text, Scratch& scratch, std::vector<Token>& out) const {
  if (model_.affixes.any()) return encode_affixed(piece, begin, text, scratch, out);
  std::vector<uint32_t> ids(piece.size() + 16);
  Sink sink{ids.data(), ids.size()};
  const bool bytes = model_.kind == Kind::byte_level;
  if (bytes) {
    pieces_->encode_piece(piece, scratch, sink);
  } else {
    pieces_->encode_characters(piece, scratch, sink);
  }
  const uint8_t* const data = bytes_of(piece);
  size_t at = 0;
  for (size_t i = 0; i < std::min(sink.count, ids.size()); ++i) {
    const uint32_t id = ids[i];
    if (!text.tracked()) {
      out.push_back({id, {0, 0}});
      continue;
    }
    const std::string_view own = bytes ? model_.bytes[id] : model_.tokens[id];
    // Bytes without a token and without an unknown token are left out.
    while (bytes && at < piece.size() && model_.byte_token[data[at]] == kNoId && model_.unknown == kNoId) ++at;
    size_t size = own.size();
    if (id == model_.unknown || piece.compare(at, size, own) != 0) {
      if (bytes) {
        const auto unknown = [&](size_t k) { return at + k < piece.size() && model_.byte_token[data[at + k]] == kNoId; };
        size = 1;
        while (model_.fuse_unknown && unknown(size)) ++size;
      } else if (id == model_.unknown && model_.fuse_unknown) {
        // Up to where the rest begins with the next token.
        const std::string_view next = i + 1 < sink.count ? model_.tokens[ids[i + 1]] : std::string_view();
        const size_t found = i + 1 < sink.count ? piece.find(next, at) : std::string_view::npos;
        size = found == std::string_view::npos ? piece.size() - at : std::max<size_t>(found - at, 1);
      } else if (id == model_.unknown) {
        size = decode_utf8(data + at, data + piece.size()).length;
      } else {
        size = 1;  // a byte token
      }
    }
    const size_t stop = std::min(at + size, piece.size());
    if (at < stop) {
      out.push_back({id, text.origin(begin + at, begin + stop)});
    } else {
      const Range last = text.origin(begin + piece.size() - 1, begin + piece.size());
      out.push_back({id, {last.end, last.end}});
    }
    at = stop;
  }
}

}  // namespace xcore::tokenizer
