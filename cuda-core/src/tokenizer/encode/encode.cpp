#include <algorithm>
#include <functional>
#include <unordered_map>

#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/trace.hpp"
#include "tokenizer/encode/scratch.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

constexpr size_t kMaxText = size_t{1} << 31;
constexpr size_t kMaxIdle = 64;
constexpr uint32_t kUnknownSymbol = kNoId - 1;  // a character that no token contains: merges with nothing
constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581, SentencePiece's space

}  // namespace

// A Scratch for the length of a call.
class Tokenizer::Lease {
 public:
  explicit Lease(const Tokenizer& owner) : owner_(owner) {
    const std::lock_guard<std::mutex> lock(owner.mutex_);
    if (owner.idle_.empty()) {
      scratch_ = std::make_unique<Scratch>();
    } else {
      scratch_ = std::move(owner.idle_.back());
      owner.idle_.pop_back();
    }
  }
  ~Lease() {
    // One huge text must not pin its buffers for ever.
    if (scratch_->merge.heap.capacity() > (size_t{1} << 20)) scratch_->merge = {};
    if (scratch_->symbols.capacity() > (size_t{1} << 20)) scratch_->symbols = {};
    if (scratch_->normalized.capacity() > (size_t{1} << 22)) scratch_->normalized = {};
    const std::lock_guard<std::mutex> lock(owner_.mutex_);
    if (owner_.idle_.size() < kMaxIdle) owner_.idle_.push_back(std::move(scratch_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Scratch& operator*() const { return *scratch_; }

 private:
  const Tokenizer& owner_;
  std::unique_ptr<Scratch> scratch_;
};

Tokenizer::~Tokenizer() = default;

Tokenizer::Tokenizer(Model model) : model_(std::move(model)) {
  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& t : model_.added) {
    if (!t.normalized) {
      raw.push_back(t);
      continue;
    }
    normalized.push_back(t);
    if (model_.nfc) normalize_nfc(t.content, normalized.back().content);
  }
  added_.build(std::move(raw));
  added_normalized_.build(std::move(normalized));
  if (model_.kind == Kind::byte_level) {
    build_pieces();
  } else {
    build_characters();
  }
  model_.scores = {};
}

void Tokenizer::build_pieces() {
  pieces_.reserve(model_.tokens.size());
  Scratch scratch;
  for (uint32_t id = 0; id < model_.tokens.size(); ++id) {
    if (!model_.model_token[id]) continue;
    const std::string_view bytes = model_.bytes[id];
    if (!model_.ignore_merges && (merge_bytes(bytes, scratch) != 1 || scratch.symbols[0] != id)) continue;
    pieces_.insert(model_.bytes, id);
  }
}

// Ranks from scores, and every way in which a token is two joined parts. A part that is a single character need not be
// a token itself; such characters get ids beyond the vocabulary.
void Tokenizer::build_characters() {
  const auto size = static_cast<uint32_t>(model_.tokens.size());
  StringIndex tokens;
  tokens.reserve(size);
  std::vector<float> scores;
  for (uint32_t id = 0; id < size; ++id) {
    if (!model_.model_token[id]) continue;
    tokens.insert(model_.tokens, id);
    scores.push_back(model_.scores[id]);
  }
  std::sort(scores.begin(), scores.end(), std::greater<float>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());

  std::vector<std::string_view> parts;
  std::unordered_map<std::string_view, uint32_t> seen;
  const auto each_character = [](std::string_view token, auto&& use) {
    const uint8_t* const begin = bytes_of(token);
    const uint8_t* const end = begin + token.size();
    for (const uint8_t* p = begin; p < end;) {
      const CodePoint c = decode_utf8(p, end);
      use(static_cast<size_t>(p - begin), c.length);
      p += c.length;
    }
  };
  for (uint32_t id = 0; id < size; ++id) {
    if (!model_.model_token[id]) continue;
    const std::string_view token = model_.tokens[id];
    each_character(token, [&](size_t at, uint32_t length) {
      const std::string_view c = token.substr(at, length);
      if (!seen.emplace(c, 0).second) return;
      const uint32_t own = tokens.find(model_.tokens, c);
      seen[c] = own != kNoId ? own : size + static_cast<uint32_t>(parts.size());
      parts.push_back(c);
    });
  }
  characters_.resize(parts.size());
  character_index_.reserve(parts.size());
  for (uint32_t i = 0; i < parts.size(); ++i) {
    characters_.set(i, parts[i]);
    character_index_.insert(characters_, i);
    character_id_.push_back(seen[parts[i]]);
  }
  const auto part_id = [&](std::string_view s) {
    const uint32_t own = tokens.find(model_.tokens, s);
    if (own != kNoId) return own;
    const auto c = seen.find(s);
    return c == seen.end() ? kNoId : c->second;
  };
  for (uint32_t id = 0; id < size; ++id) {
    if (!model_.model_token[id]) continue;
    const std::string_view token = model_.tokens[id];
    const auto better = std::lower_bound(scores.begin(), scores.end(), model_.scores[id], std::greater<float>());
    const auto rank = static_cast<uint32_t>(better - scores.begin());
    each_character(token, [&](size_t at, uint32_t) {
      if (at == 0) return;
      const uint32_t left = part_id(token.substr(0, at));
      if (left == kNoId) return;
      const uint32_t right = part_id(token.substr(at));
      if (right != kNoId) model_.pairs.insert(left, right, rank, id);
    });
  }
}

void Tokenizer::encode(std::string_view text, uint32_t flags, Sink& sink) const {
  if (text.size() >= kMaxText) {
    throw error(XC_LIMIT_EXCEEDED, "text", -1, "the text has %zu bytes; one call takes less than 2 GiB", text.size());
  }
  const trace::OpTimer timer("tokenizer.encode", kCpu, text.size());
  const bool special = (flags & XC_ENCODE_PARSE_SPECIAL) != 0;
  const Lease scratch(*this);
  if (flags & XC_ENCODE_ADD_SPECIAL) {
    for (const uint32_t id : model_.prefix) sink.push(id);
  }
  if (model_.kind == Kind::byte_level) {
    for (size_t at = 0; at < text.size();) {
      const auto match = added_.find(text, at, special);
      encode_plain(text.substr(at, match.begin - at), special, *scratch, sink);
      if (match.token) sink.push(match.token->id);
      at = match.end;
    }
  } else {
    encode_sentencepiece(text, special, *scratch, sink);
  }
  if (flags & XC_ENCODE_ADD_SPECIAL) {
    for (const uint32_t id : model_.suffix) sink.push(id);
  }
}

// Between added tokens: normalise, look for the tokens of normalised text, cut the rest.
void Tokenizer::encode_plain(std::string_view text, bool special, Scratch& scratch, Sink& sink) const {
  std::string normalized;
  if (model_.nfc && normalize_nfc(text, normalized)) text = normalized;
  for (size_t at = 0; at < text.size();) {
    const auto match = added_normalized_.find(text, at, special);
    if (match.begin > at) split(0, bytes_of(text) + at, bytes_of(text) + match.begin, scratch, sink);
    if (match.token) sink.push(match.token->id);
    at = match.end;
  }
}

void Tokenizer::split(size_t step, const uint8_t* begin, const uint8_t* end, Scratch& scratch, Sink& sink) const {
  if (step == model_.steps.size()) {
    encode_piece(begin, end, scratch, sink);
    return;
  }
  const PreTokenizerStep& s = model_.steps[step];
  std::string spaced;
  if (s.prefix_space && *begin != ' ') {
    spaced.reserve(static_cast<size_t>(end - begin) + 1);
    spaced += ' ';
    spaced.append(begin, end);
    begin = bytes_of(spaced);
    end = begin + spaced.size();
  }
  const bool last = step + 1 == model_.steps.size();
  while (begin < end) {
    const uint8_t* const stop = next_piece(s.pattern, begin, end);
    if (last) {
      encode_piece(begin, stop, scratch, sink);
    } else {
      split(step + 1, begin, stop, scratch, sink);
    }
    begin = stop;
  }
}

size_t Tokenizer::merge_bytes(std::string_view piece, Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  if (symbols.size() < piece.size()) symbols.resize(piece.size());
  size_t count = 0;
  bool after_unknown = false;
  for (const char c : piece) {
    uint32_t id = model_.byte_token[static_cast<uint8_t>(c)];
    const bool unknown = id == kNoId;
    if (unknown) id = model_.unknown;
    if (id != kNoId && !(unknown && after_unknown && model_.fuse_unknown)) symbols[count++] = id;
    after_unknown = unknown;
  }
  return merge(model_.pairs, symbols.data(), count, scratch.merge);
}

void Tokenizer::encode_piece(const uint8_t* begin, const uint8_t* end, Scratch& scratch, Sink& sink) const {
  const auto size = static_cast<size_t>(end - begin);
  const std::string_view piece(reinterpret_cast<const char*>(begin), size);
  PieceCache::Entry key;
  PieceCache::Entry* entry = nullptr;
  if (size <= PieceCache::kMaxBytes) {
    entry = &scratch.cache.at(begin, size, key);
    if (entry->low == key.low && entry->high == key.high) {
      for (uint32_t i = 0; i < entry->count; ++i) sink.push(entry->ids[i]);
      return;
    }
  }
  uint32_t single = pieces_.find(model_.bytes, piece);
  const uint32_t* ids = &single;
  size_t count = 1;
  if (single == kNoId) {
    count = merge_bytes(piece, scratch);
    ids = scratch.symbols.data();
  }
  for (size_t i = 0; i < count; ++i) sink.push(ids[i]);
  if (entry && count <= PieceCache::kMaxIds) {
    key.count = static_cast<uint32_t>(count);
    for (size_t i = 0; i < count; ++i) key.ids[i] = ids[i];
    *entry = key;
  }
}

void Tokenizer::encode_sentencepiece(std::string_view text, bool special, Scratch& scratch, Sink& sink) const {
  bool after_special = true;
  for (size_t at = 0; at < text.size();) {
    const auto match = added_.find(text, at, special);
    if (match.begin > at) {
      merge_characters(text.substr(at, match.begin - at), model_.space_prefix && after_special, scratch, sink);
      after_special = false;
    }
    if (match.token) {
      sink.push(match.token->id);
      after_special = true;
    }
    at = match.end;
  }
}

void Tokenizer::merge_characters(std::string_view text, bool prefix, Scratch& scratch, Sink& sink) const {
  std::string& escaped = scratch.normalized;
  escaped.clear();
  if (prefix) escaped += kBlank;
  for (const char c : text) {
    if (c == ' ') {
      escaped += kBlank;
    } else {
      escaped += c;
    }
  }
  auto& symbols = scratch.symbols;
  if (symbols.size() < escaped.size()) symbols.resize(escaped.size());
  const uint8_t* const begin = bytes_of(escaped);
  const uint8_t* const end = begin + escaped.size();
  size_t count = 0;
  for (const uint8_t* p = begin; p < end;) {
    const uint32_t length = decode_utf8(p, end).length;
    const uint32_t c = character_index_.find(characters_, {reinterpret_cast<const char*>(p), length});
    symbols[count++] = c == kNoId ? kUnknownSymbol : character_id_[c];
    p += length;
  }
  count = merge(model_.pairs, symbols.data(), count, scratch.merge);
  const uint8_t* p = begin;
  for (size_t i = 0; i < count; ++i) {
    if (symbols[i] < model_.tokens.size()) {
      sink.push(symbols[i]);
      p += model_.tokens[symbols[i]].size();
      continue;
    }
    // No token: its bytes.
    for (const uint8_t* const stop = p + decode_utf8(p, end).length; p < stop; ++p) {
      const uint32_t id = model_.byte_token[*p] != kNoId ? model_.byte_token[*p] : model_.unknown;
      if (id != kNoId) sink.push(id);
    }
  }
}

}  // namespace xcore::tokenizer
