// Pieces of models whose characters are looked up with a prefix or a suffix, as CLIP and the first GPT have them: symbol by symbol
// what Hugging Face's BPE does, on the way of tokenizers that no shortcut is for.
#include <algorithm>
#include <cstdio>

#include "tokenizer/byte_level.hpp"
#include "tokenizer/encode/piece_encoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {
namespace {

// The symbols of a piece before merging. What is unknown waits until the next symbol that is known, or until the end: with
// fuse_unk its neighbours join it. Bytes of a fallback do not end the wait.
class Symbols {
 public:
  Symbols(const Tokenizer& tokenizer, std::vector<uint32_t>& ids, std::vector<uint32_t>& unknown_sizes)
      : tokenizer_(tokenizer), model_(tokenizer.model()), ids_(ids), unknown_sizes_(unknown_sizes) {}

  // `size`: bytes of the piece that the character stands for. `name`: the character with its affixes. False for one that is left
  // out, because nothing stands for what is unknown.
  bool add(std::string_view name, uint32_t size) {
    const uint32_t id = find(name);
    if (id != kNoId) {
      flush();
      ids_.push_back(id);
      return true;
    }
    if (model_.affixes.byte_fallback && add_bytes(name)) return true;
    if (model_.unknown == kNoId) return false;
    if (waiting_ > 0 && !model_.fuse_unknown) flush();
    waiting_ += size;
    return true;
  }
  void flush() {
    if (waiting_ == 0) return;
    ids_.push_back(model_.unknown);
    unknown_sizes_.push_back(waiting_);
    waiting_ = 0;
  }

 private:
  uint32_t find(std::string_view name) const {
    const uint32_t id = tokenizer_.id_of(name);
    return id != kNoId && model_.model_token[id] ? id : kNoId;
  }
  bool add_bytes(std::string_view name) {
    const size_t before = ids_.size();
    for (const char c : name) {
      char token[8];
      std::snprintf(token, sizeof token, "<0x%02X>", static_cast<unsigned>(static_cast<uint8_t>(c)));
      const uint32_t id = find(token);
      if (id == kNoId) {
        ids_.resize(before);
        return false;
      }
      ids_.push_back(id);
    }
    return true;
  }

  const Tokenizer& tokenizer_;
  const Model& model_;
  std::vector<uint32_t>& ids_;
  std::vector<uint32_t>& unknown_sizes_;
  uint32_t waiting_ = 0;  // bytes that are unknown
};

}  // namespace

void Tokenizer::encode_affixed(std::string_view piece, size_t begin, const AlignedText& text, Scratch& scratch, std::vector<Token>& out) const {
  const Affixes& affixes = model_.affixes;
  const bool bytes = model_.kind == Kind::byte_level;
  std::vector<uint32_t> ids, unknown_sizes;
  std::string name;
  const auto append_character = [&](const uint8_t* p, size_t size) {
    if (bytes) {
      append_utf8(name, character_of_byte(*p));
    } else {
      name.append(reinterpret_cast<const char*>(p), size);
    }
  };
  uint32_t whole = kNoId;
  bool has_first = false, has_last = false;  // whether the characters at the ends, which have no prefix or a suffix, are there
  const uint8_t* const first = bytes_of(piece);
  const uint8_t* const end = first + piece.size();
  if (model_.ignore_merges) {
    for (const uint8_t* p = first; p < end; ++p) append_character(p, 1);
    whole = id_of(name);
    if (whole != kNoId && !model_.model_token[whole]) whole = kNoId;
  }
  if (whole != kNoId) {
    ids.push_back(whole);
  } else {
    Symbols symbols(*this, ids, unknown_sizes);
    for (const uint8_t* p = first; p < end;) {
      const uint32_t size = bytes ? 1 : decode_utf8(p, end).length;
      name = p == first ? std::string() : affixes.prefix;
      append_character(p, size);
      if (p + size == end) name += affixes.suffix;
      has_last = symbols.add(name, size);
      if (p == first) has_first = has_last;
      p += size;
    }
    symbols.flush();
    ids.resize(pieces_->merge_all(ids.data(), ids.size(), scratch));
  }
  // A token stands for as much of the piece as it has characters beyond the affixes.
  size_t at = 0, unknown = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string_view token = model_.tokens[ids[i]];
    size_t size = token.size();
    if (ids[i] == model_.unknown && unknown < unknown_sizes.size()) {
      size = unknown_sizes[unknown++];
    } else if (byte_of_fallback(token) >= 0) {
      size = 1;
    } else if (whole == kNoId) {
      const size_t from = i > 0 || !has_first ? std::min(affixes.prefix.size(), size) : 0;
      if (i + 1 == ids.size() && has_last) size -= std::min(affixes.suffix.size(), size - from);
      if (bytes) {
        size_t characters = 0;
        for (size_t k = from; k < size; ++k) characters += (static_cast<uint8_t>(token[k]) & 0xc0) != 0x80;
        size = characters;
      } else {
        size -= from;
      }
    } else {
      size = piece.size();
    }
    const size_t stop = std::min(at + size, piece.size());
    if (!text.tracked()) {
      out.push_back({ids[i], {0, 0}});
    } else if (at < stop) {
      out.push_back({ids[i], text.origin(begin + at, begin + stop)});
    } else {
      const Range last = text.origin(begin + piece.size() - 1, begin + piece.size());
      out.push_back({ids[i], {last.end, last.end}});
    }
    at = stop;
  }
}

}  // namespace xcore::tokenizer
