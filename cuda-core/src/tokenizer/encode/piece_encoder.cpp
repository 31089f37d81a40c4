#include "tokenizer/encode/piece_encoder.hpp"

#include <algorithm>

#include "tokenizer/encode/piece_batch.hpp"
#include "tokenizer/image/reader.hpp"
#include "tokenizer/image/writer.hpp"
#include "tokenizer/together.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {
namespace {

bool is_ascii(const uint8_t* p, size_t size) {
  uint64_t any = 0, w;
  for (; size >= 8; size -= 8, p += 8) {
    std::memcpy(&w, p, 8);
    any |= w;
  }
  for (; size; --size) any |= static_cast<uint64_t>(*p++) << 56 >> 56;
  return (any & 0x8080808080808080ull) == 0;
}

std::string_view view(const uint8_t* p, size_t size) { return {reinterpret_cast<const char*>(p), size}; }

}  // namespace

PieceEncoder::PieceEncoder(const Model& model, Blank)
    : model_(model),
      characters_only_(model.kind == Kind::sentencepiece),
      all_bytes_(std::find(std::begin(model.byte_token), std::end(model.byte_token), kNoId) == std::end(model.byte_token)),
      // Unknown bytes of one piece may become one token: such pieces must stay whole.
      cuts_(all_bytes_ || !model.fuse_unknown || model.unknown == kNoId),
      part_mark_(model.ignore_merges ? uint64_t{1} << 63 : 0) {}

template <class Self, class Archive>
void PieceEncoder::fields(Self& self, Archive& a) {
  const size_t ids = self.model_.tokens.size();
  if (self.characters_only_) CharacterTable::fields(self.characters_, a);
  MergeTables::fields(self.merges_, a, ids);
  Seams::fields(self.seams_, a);
  TokenTable::fields(self.tokens_, a, ids);
  a.bits("reached", self.reached_);
  StringIndex::fields(self.long_pieces_, a, "whole.long", ids);
  if constexpr (Archive::kReads) {
    a.require(self.reached_.empty() || self.reached_.size() == ids, "not every token is said to be reached or not");
    a.require(!self.merges_.packed() || self.characters_.unknown() < MergeTables::kMaxSymbols, "a character's symbol is too large to merge");
    a.require(!self.merges_.packed() || self.characters_only_ || self.merges_.has_byte_ranks(), "the ranks of pairs of bytes are missing");
  }
}

PieceEncoder::PieceEncoder(const Model& model, ImageReader& image) : PieceEncoder(model, Blank{}) { fields(*this, image); }

void PieceEncoder::save(ImageWriter& image) const { fields(*this, image); }

PairTable PieceEncoder::pairs() const {
  PairTable out;
  out.reserve(merges_.packed() ? merges_.size() : model_.pairs.size());
  const auto insert = [&](const PairTable::Entry& e) { out.insert(e.left, e.right, e.rank, e.joined); };
  if (merges_.packed()) {
    merges_.each(insert);
  } else {
    model_.pairs.each(insert);
  }
  return out;
}

PieceEncoder::PieceEncoder(Model& model) : PieceEncoder(model, Blank{}) {
  if (characters_only_) characters_ = CharacterTable(model);
  Large<PairTable::Entry> merges = std::move(model.merges);
  model.merges.clear();
  if (merges.empty()) merges = by_rank(model.pairs);
  uint32_t largest = characters_.unknown();
  for (const uint32_t id : model.byte_token) largest = id == kNoId ? largest : std::max(largest, id);
  if (model.unknown != kNoId) largest = std::max(largest, model.unknown);
  const StringTable& contents = characters_only_ ? model.tokens : model.bytes;
  std::vector<bool> merged(model.tokens.size());
  for (const auto& e : merges) {
    if (e.joined < merged.size()) merged[e.joined] = true;
  }
  together(
      [&] {
        if (largest < MergeTables::kMaxSymbols) merges_ = MergeTables(merges, model.last_merge_counts, characters_only_ ? nullptr : model.byte_token);
        for (uint32_t id = 0; id < model.tokens.size(); ++id) {
          if (model.model_token[id] || merged[id]) seams_.add(contents[id]);
        }
      },
      [&] {
        if (model.ignore_merges) tokens_ = TokenTable(model, contents, std::vector<bool>(model.tokens.size(), true));
      });
  if (!merges_.packed() && model.pairs.size() == 0) {
    model.pairs.reserve(merges.size());
    if (model.last_merge_counts) std::reverse(merges.begin(), merges.end());
    for (const auto& e : merges) model.pairs.insert(e.left, e.right, e.rank, e.joined);
  }
  // What stands in `tokens_` needs no merging. A token that no pair makes, and that no byte or character is, is never met; nor is
  // what pairs would make of it.
  std::vector<bool> starts(std::max<size_t>(model.tokens.size(), characters_.unknown() + 1));
  if (characters_only_) {
    characters_.each([&](uint32_t symbol) { starts[symbol] = true; });
  } else {
    for (const uint32_t id : model.byte_token) {
      if (id < starts.size()) starts[id] = true;
    }
  }
  std::vector<bool> reached;
  if (model.merges_are_reached && merges_.packed()) {
    reached.assign(merged.size(), true);
    for (uint32_t id = 0; id < merged.size(); ++id) reached[id] = merged[id] || starts[id];
  } else {
    reached = reached_symbols(merges, merges_, starts);
  }
  if (!model.ignore_merges) tokens_ = TokenTable(model, contents, reached);
  if (!model.ignore_merges) return;
  reached_ = std::move(reached);
  if (!reached_.empty()) reached_.resize(model.tokens.size());  // tokens beyond the last that merges name are in no pair
  size_t long_ones = 0;
  for (uint32_t id = 0; id < model.tokens.size(); ++id) long_ones += contents[id].size() > PieceKey::kMaxBytes;
  long_pieces_.reserve(long_ones + 1);
  for (uint32_t id = 0; id < model.tokens.size(); ++id) {
    if (model.model_token[id] && contents[id].size() > PieceKey::kMaxBytes) long_pieces_.insert(contents, id);
  }
}

void PieceEncoder::encode(std::string_view text, Scan scan, Scratch& scratch, Sink& sink) const {
  constexpr size_t kWanted = 128;
  uint32_t ends[kWanted + kScanSlack];
  const uint8_t* const base = bytes_of(text);
  const uint8_t* const end = base + text.size();
  Batch batch(*this, base, end, scratch, sink);
  uint32_t begin = 0;
  for (const uint8_t* at = base; at < end && !sink.stopped();) {
    const size_t n = scan(base, at, end, ends, kWanted);
    batch.push(begin, ends, n);
    begin = ends[n - 1];
  }
  batch.flush();
}

void PieceEncoder::encode_piece(std::string_view piece, Scratch& scratch, Sink& sink) const {
  if (piece.empty()) return;
  Batch batch(*this, bytes_of(piece), bytes_of(piece) + piece.size(), scratch, sink);
  batch.push_any(0, static_cast<uint32_t>(piece.size()));
  batch.flush();
}

void PieceEncoder::encode_characters(std::string_view text, Scratch& scratch, Sink& sink) const {
  Batch batch(*this, bytes_of(text), bytes_of(text) + text.size(), scratch, sink);
  batch.push_characters(0, static_cast<uint32_t>(text.size()));
  batch.flush();
}

void PieceEncoder::encode_segments(std::string_view text, const std::vector<Segment>& segments, Scratch& scratch, Sink& sink) const {
  Batch batch(*this, bytes_of(text), bytes_of(text) + text.size(), scratch, sink);
  uint32_t begin = 0;
  for (const Segment& segment : segments) {
    if (sink.stopped()) break;
    batch.push_characters(begin, segment.end - begin);
    if (segment.token != kNoId) batch.push_token(segment.end, segment.token);
    begin = segment.end;
  }
  batch.flush();
}

// The token that a piece, or a part of one, is; kNoId when it is none or that is not known.
uint32_t PieceEncoder::whole_token(const PieceKey& key, uint64_t hash) const {
  if (key.high >> 63 == 0) return tokens_.find(key, hash);
  if (reached_.empty()) return kNoId;
  const PieceKey plain{key.low, key.high & ~part_mark_};
  const uint32_t whole = tokens_.find(plain, plain.hash());
  return whole != kNoId && reached_[whole] ? whole : kNoId;
}

// The same for a piece that is too long for a key.
uint32_t PieceEncoder::whole_long(const uint8_t* piece, size_t size, bool part) const {
  return model_.ignore_merges && !part ? long_pieces_.find(model_.bytes, view(piece, size)) : kNoId;
}

// A piece that is looked at for seams: its parts are met again more often than the whole, and are remembered.
bool PieceEncoder::may_have_seams(const uint8_t* piece, size_t size) const {
  return cuts_ && !characters_only_ && size > 3 && !is_ascii(piece, size);
}

PieceKey PieceEncoder::part_key(const uint8_t* part, size_t size) const {
  PieceKey key = PieceKey::load_exactly(part, size);
  key.high |= part_mark_;
  return key;
}

// The symbols of a piece without seams whose merging needs nothing else; false for others.
bool PieceEncoder::prepare_merge(const uint8_t* piece, size_t size, MergeJob& job) const {
  if (!merges_.packed()) return false;
  if (characters_only_) {
    size_t count = 0;
    const uint8_t* const end = piece + size;
    for (const uint8_t* p = piece; p < end;) {
      const CodePoint c = decode_utf8(p, end);
      const uint32_t symbol = characters_.symbol(c.value);
      if (symbol >= model_.tokens.size() || count == MergeJob::kMost) return false;
      job.symbols[count++] = symbol;
      p += c.length;
    }
    for (size_t i = 0; i + 1 < count; ++i) job.ranks[i] = merges_.rank(job.symbols[i], job.symbols[i + 1]);
    job.count = static_cast<uint32_t>(count);
    return count >= 2;
  }
  if (!all_bytes_ || size < 2 || size > MergeJob::kMost) return false;
  for (size_t i = 0; i < size; ++i) job.symbols[i] = model_.byte_token[piece[i]];
  for (size_t i = 0; i + 1 < size; ++i) job.ranks[i] = merges_.byte_rank(piece[i], piece[i + 1]);
  job.count = static_cast<uint32_t>(size);
  return true;
}

// A piece that has a key.
size_t PieceEncoder::encode_short(const PieceKey& key, uint64_t hash, const uint8_t* piece, size_t size, Scratch& scratch,
                                  uint32_t* out) const {
  size_t n = scratch.memo.find(key, hash, out);
  if (n != PieceMemo::kUnknown) return n;
  ++scratch.misses;
  n = 0;
  const uint32_t whole = whole_token(key, hash);
  if (whole != kNoId) {
    out[0] = whole;
    n = 1;
  } else if (characters_only_) {
    n = merge_characters(piece, size, scratch, out);
  } else if (may_have_seams(piece, size)) {
    n = encode_seamed(piece, size, scratch, out);
  } else {
    n = merge_bytes(piece, size, scratch, out);
  }
  scratch.memo.insert(key, hash, out, n);
  return n;
}

// A piece of bytes that is cut at its seams.
size_t PieceEncoder::encode_seamed(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const {
  uint32_t ends[Seams::kMostParts];
  const uint8_t* const end = piece + size;
  size_t n = 0;
  uint32_t begin = 0;
  for (const uint8_t* at = piece; at < end;) {
    const size_t parts = seams_.parts(piece, at, end, ends);
    if (begin == 0 && ends[0] == size) return merge_bytes(piece, size, scratch, out);
    for (size_t i = 0; i < parts; ++i) {
      const uint8_t* const part = piece + begin;
      const size_t bytes = ends[i] - begin;
      if (bytes <= PieceKey::kMaxBytes) {
        const PieceKey key = part_key(part, bytes);
        n += encode_short(key, key.hash(), part, bytes, scratch, out + n);
      } else {
        const uint64_t hash = (bytes <= PieceMemo::kMaxLong ? PieceMemo::View::hash(part, bytes) : 0) ^ part_mark_;
        n += encode_long(part, bytes, hash, true, scratch, out + n);
      }
      begin = ends[i];
    }
  }
  return n;
}

// A piece that is too long for a key.
size_t PieceEncoder::encode_long(const uint8_t* piece, size_t size, uint64_t hash, bool part, Scratch& scratch,
                                 uint32_t* out) const {
  const bool kept = size <= PieceMemo::kMaxLong;
  size_t n = kept ? scratch.memo.find_long(piece, size, hash, out) : PieceMemo::kUnknown;
  if (n != PieceMemo::kUnknown) return n;
  ++scratch.misses;
  const uint32_t whole = whole_long(piece, size, part);
  if (whole != kNoId) {
    out[0] = whole;
    n = 1;
  } else {
    n = characters_only_ ? merge_characters(piece, size, scratch, out)
        : !part && kept && may_have_seams(piece, size) ? encode_seamed(piece, size, scratch, out)
                                                       : merge_bytes(piece, size, scratch, out);
  }
  if (kept) scratch.memo.insert_long(piece, size, hash, out, n);
  return n;
}

size_t PieceEncoder::merge_symbols(uint32_t* symbols, size_t count, Scratch& scratch) const {
  return merges_.packed() ? merges_.merge(symbols, count, scratch.merge) : merge(model_.pairs, symbols, count, scratch.merge);
}

size_t PieceEncoder::merge_bytes(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const {
  if (MergeJob job; prepare_merge(piece, size, job)) {
    merges_.merge_many(&job, 1);
    std::copy_n(job.symbols, job.count, out);
    return job.count;
  }
  size_t count = 0;
  bool after_unknown = false;
  for (size_t i = 0; i < size; ++i) {
    uint32_t id = model_.byte_token[piece[i]];
    const bool unknown = id == kNoId;
    if (unknown) id = model_.unknown;
    if (id != kNoId && !(unknown && after_unknown && model_.fuse_unknown)) out[count++] = id;
    after_unknown = unknown;
  }
  return merge_symbols(out, count, scratch);
}

size_t PieceEncoder::merge_characters(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const {
  auto& symbols = scratch.symbols;
  if (symbols.size() < size) symbols.resize(size);
  const uint8_t* const end = piece + size;
  size_t count = 0;
  for (const uint8_t* p = piece; p < end;) {
    const CodePoint c = decode_utf8(p, end);
    symbols[count++] = characters_.symbol(c.value);
    p += c.length;
  }
  count = merge_symbols(symbols.data(), count, scratch);
  size_t n = 0;
  bool after_unknown = false;
  const uint8_t* p = piece;
  for (size_t i = 0; i < count; ++i) {
    if (symbols[i] < model_.tokens.size()) {
      out[n++] = symbols[i];
      p += std::min(model_.tokens[symbols[i]].size(), static_cast<size_t>(end - p));  // all of it, in a table that makes sense
      after_unknown = false;
      continue;
    }
    // No token: its bytes.
    for (const uint8_t* const stop = p < end ? p + decode_utf8(p, end).length : p; p < stop; ++p) {
      const uint32_t byte = model_.byte_token[*p];
      const uint32_t id = byte != kNoId ? byte : model_.unknown;
      if (id != kNoId && !(byte == kNoId && after_unknown && model_.fuse_unknown)) out[n++] = id;
      after_unknown = byte == kNoId;
    }
  }
  return n;
}


}  // namespace xcore::tokenizer
