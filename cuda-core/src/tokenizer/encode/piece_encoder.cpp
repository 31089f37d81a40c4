#include "tokenizer/encode/piece_encoder.hpp"

#include <algorithm>

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

PieceEncoder::PieceEncoder(Model& model)
    : model_(model),
      characters_only_(model.kind == Kind::sentencepiece),
      all_bytes_(std::find(std::begin(model.byte_token), std::end(model.byte_token), kNoId) == std::end(model.byte_token)),
      // Unknown bytes of one piece may become one token: such pieces must stay whole.
      cuts_(all_bytes_ || !model.fuse_unknown || model.unknown == kNoId) {
  if (characters_only_) characters_ = CharacterTable(model);
  merges_ = MergeTables(model.pairs, characters_only_ ? nullptr : model.byte_token);
  const StringTable& contents = characters_only_ ? model.tokens : model.bytes;
  std::vector<bool> merged(model.tokens.size());
  model.pairs.each([&](const PairTable::Entry& e) {
    if (e.joined < merged.size()) merged[e.joined] = true;
  });
  for (uint32_t id = 0; id < model.tokens.size(); ++id) {
    if (model.model_token[id] || merged[id]) seams_.add(contents[id]);
  }
  if (!model.ignore_merges) return;
  pieces_.reserve(model.tokens.size());
  for (uint32_t id = 0; id < model.tokens.size(); ++id) {
    if (model.model_token[id]) pieces_.insert(contents, id);
  }
}

// Pieces on their way to ids. Looking up one piece costs more in waiting for memory than in work, so the lines of a whole
// batch are asked for before the first is read.
class PieceEncoder::Batch {
 public:
  Batch(const PieceEncoder& encoder, const uint8_t* base, const uint8_t* end, Scratch& scratch, Sink& sink)
      : encoder_(encoder), base_(base), end_(end), scratch_(scratch), sink_(sink) {}

  void push(uint32_t begin, uint32_t size) {
    if (size <= PieceKey::kMaxBytes) {
      push_short(begin, size);
    } else {
      push_long(begin, size);
    }
  }
  void flush() {
    if (count_ == 0) return;
    const size_t bytes = items_[count_ - 1].begin + items_[count_ - 1].size - items_[0].begin;
    if (sink_.capacity == 0) {
      resolve<false>(nullptr);
    } else if (sink_.count < sink_.capacity && sink_.capacity - sink_.count >= bytes + kSlack) {
      resolve<true>(sink_.out + sink_.count);
    } else {
      if (scratch_.staged.size() < bytes + kSlack) scratch_.staged.resize(bytes + kSlack);
      const size_t before = sink_.count;
      resolve<true>(scratch_.staged.data());
      const size_t room = before < sink_.capacity ? std::min(sink_.capacity - before, sink_.count - before) : 0;
      if (room) std::copy_n(scratch_.staged.data(), room, sink_.out + before);
    }
    scratch_.lookups += count_;
    count_ = 0;
  }

 private:
  static constexpr size_t kItems = 128;
  static constexpr size_t kSlack = 16;
  static constexpr uint64_t kLong = ~uint64_t{0};  // no key: its length would be 255

  struct Item {
    PieceKey key;
    uint64_t hash;
    uint32_t begin, size;
  };

  void push_short(uint32_t begin, uint32_t size) {
    if (count_ == kItems) flush();
    const uint8_t* const p = base_ + begin;
    Item& item = items_[count_++];
    item.key = end_ - p >= 16 ? PieceKey::load(p, size) : PieceKey::load_exactly(p, size);
    item.hash = item.key.hash();
    item.begin = begin;
    item.size = size;
    __builtin_prefetch(scratch_.memo.line(item.hash));
  }
  void push_whole(uint32_t begin, uint32_t size) {
    if (size <= PieceKey::kMaxBytes) return push_short(begin, size);
    if (count_ == kItems) flush();
    items_[count_++] = {{kLong, kLong}, 0, begin, size};
  }
  void push_long(uint32_t begin, uint32_t size) {
    const uint8_t* const p = base_ + begin;
    if (encoder_.cuts_ && !encoder_.characters_only_ && !is_ascii(p, size)) {
      const uint8_t* const stop = p + size;
      for (const uint8_t* from = p; from < stop;) {
        const uint8_t* const seam = encoder_.next_seam(p, from, stop);
        push_whole(static_cast<uint32_t>(from - base_), static_cast<uint32_t>(seam - from));
        from = seam;
      }
    } else {
      push_whole(begin, size);
    }
  }

  template <bool kStore>
  void resolve(uint32_t* const out_begin) {
    uint32_t* out = out_begin;
    size_t counted = 0;
    for (size_t i = 0; i < count_; ++i) {
      const Item& item = items_[i];
      const PieceMemo::Entry* const line = scratch_.memo.line(item.hash);
      const bool first = ((line[0].low ^ item.key.low) | (line[0].high ^ item.key.high)) == 0;
      const bool second = ((line[1].low ^ item.key.low) | (line[1].high ^ item.key.high)) == 0;
      const PieceMemo::Entry* const e = line + (first ? 0 : 1);
      if (__builtin_expect((first | second) && e->count <= PieceMemo::kInline, 1)) {
        // All three and the count behind them, however many there are: the next piece writes over the rest.
        if (kStore) std::memcpy(out, e->ids, 16);
        if (kStore) {
          out += e->count;
        } else {
          counted += e->count;
        }
        continue;
      }
      if (kStore) {
        out += slow(item, out);
      } else {
        if (scratch_.staged.size() < item.size + kSlack) scratch_.staged.resize(item.size + kSlack);
        counted += slow(item, scratch_.staged.data());
      }
    }
    sink_.count += kStore ? static_cast<size_t>(out - out_begin) : counted;
  }
  size_t slow(const Item& item, uint32_t* out) const {
    const uint8_t* const p = base_ + item.begin;
    if (item.size > PieceKey::kMaxBytes) return encoder_.encode_remembered(p, item.size, scratch_, out);
    if (const auto* const e = scratch_.memo.find(item.key, item.hash)) {
      std::copy_n(scratch_.memo.ids(*e), e->count, out);
      return e->count;
    }
    ++scratch_.misses;
    const size_t n = encoder_.encode_new(p, item.size, scratch_, out);
    scratch_.memo.insert(item.key, item.hash, out, static_cast<uint32_t>(n));
    return n;
  }

  const PieceEncoder& encoder_;
  const uint8_t* const base_;
  const uint8_t* const end_;
  Scratch& scratch_;
  Sink& sink_;
  size_t count_ = 0;
  Item items_[kItems];
};

const uint8_t* PieceEncoder::next_seam(const uint8_t* begin, const uint8_t* at, const uint8_t* end) const {
  for (++at; at < end; ++at) {
    if (seams_.cut(begin, at, end)) return at;
  }
  return end;
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
    for (size_t i = 0; i < n; ++i) {
      batch.push(begin, ends[i] - begin);
      begin = ends[i];
    }
    batch.flush();
  }
}

void PieceEncoder::encode_piece(std::string_view piece, Scratch& scratch, Sink& sink) const {
  if (piece.empty()) return;
  Batch batch(*this, bytes_of(piece), bytes_of(piece) + piece.size(), scratch, sink);
  batch.push(0, static_cast<uint32_t>(piece.size()));
  batch.flush();
}

void PieceEncoder::encode_characters(std::string_view text, Scratch& scratch, Sink& sink) const {
  const uint8_t* const base = bytes_of(text);
  const uint8_t* const end = base + text.size();
  Batch batch(*this, base, end, scratch, sink);
  for (const uint8_t* at = base; at < end && !sink.stopped();) {
    const uint8_t* const seam = cuts_ ? next_seam(base, at, end) : end;
    batch.push(static_cast<uint32_t>(at - base), static_cast<uint32_t>(seam - at));
    at = seam;
  }
  batch.flush();
}

// A piece that is too long for a key.
size_t PieceEncoder::encode_remembered(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const {
  if (size <= PieceKey::kMaxBytes) {
    const PieceKey key = PieceKey::load_exactly(piece, size);
    const uint64_t hash = key.hash();
    if (const auto* const e = scratch.memo.find(key, hash)) {
      std::copy_n(scratch.memo.ids(*e), e->count, out);
      return e->count;
    }
    const size_t n = encode_new(piece, size, scratch, out);
    scratch.memo.insert(key, hash, out, static_cast<uint32_t>(n));
    return n;
  }
  if (size > LongMemo::kMaxBytes) return encode_new(piece, size, scratch, out);
  const uint64_t hash = LongMemo::hash(piece, size);
  uint32_t count = 0;
  if (const uint32_t* const ids = scratch.long_memo.find(piece, size, hash, count)) {
    std::copy_n(ids, count, out);
    return count;
  }
  ++scratch.misses;
  const size_t n = encode_new(piece, size, scratch, out);
  scratch.long_memo.insert(piece, size, hash, out, static_cast<uint32_t>(n));
  return n;
}

// Never seen, or forgotten. `out` has room for 16 ids more than the piece has bytes.
size_t PieceEncoder::encode_new(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const {
  if (characters_only_) return merge_characters(piece, size, scratch, out);
  if (model_.ignore_merges) {
    const uint32_t id = pieces_.find(model_.bytes, view(piece, size));
    if (id != kNoId) {
      out[0] = id;
      return 1;
    }
  }
  if (cuts_ && size > 3 && size <= PieceKey::kMaxBytes && !is_ascii(piece, size)) {
    const uint8_t* const end = piece + size;
    const uint8_t* seam = next_seam(piece, piece, end);
    if (seam != end) {
      size_t n = 0;
      for (const uint8_t* from = piece; from < end;) {
        n += encode_remembered(from, static_cast<size_t>(seam - from), scratch, out + n);
        from = seam;
        if (from < end) seam = next_seam(piece, from, end);
      }
      return n;
    }
  }
  return merge_bytes(piece, size, scratch, out);
}

size_t PieceEncoder::merge_symbols(uint32_t* symbols, size_t count, Scratch& scratch) const {
  return merges_.packed() ? merges_.merge(symbols, count, scratch.merge) : merge(model_.pairs, symbols, count, scratch.merge);
}

size_t PieceEncoder::merge_bytes(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const {
  if (all_bytes_ && merges_.packed() && size <= MergeTables::kShort) {
    uint32_t symbols[MergeTables::kShort], ranks[MergeTables::kShort];
    for (size_t i = 0; i < size; ++i) symbols[i] = model_.byte_token[piece[i]];
    for (size_t i = 0; i + 1 < size; ++i) ranks[i] = merges_.byte_rank(piece[i], piece[i + 1]);
    const size_t count = merges_.merge_short(symbols, ranks, size);
    std::copy_n(symbols, count, out);
    return count;
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
      p += model_.tokens[symbols[i]].size();
      after_unknown = false;
      continue;
    }
    // No token: its bytes.
    for (const uint8_t* const stop = p + decode_utf8(p, end).length; p < stop; ++p) {
      const uint32_t byte = model_.byte_token[*p];
      const uint32_t id = byte != kNoId ? byte : model_.unknown;
      if (id != kNoId && !(byte == kNoId && after_unknown && model_.fuse_unknown)) out[n++] = id;
      after_unknown = byte == kNoId;
    }
  }
  return n;
}


}  // namespace xcore::tokenizer
