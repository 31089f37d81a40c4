#include "tokenizer/encode/piece_encoder.hpp"

#include <algorithm>

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
  // What stands in `tokens_` needs no merging. A token of several characters that no pair makes is never met, though merging
  // would begin with it.
  std::vector<bool> reached;
  const auto single = [&](std::string_view s) {
    return s.size() == 1 || (characters_only_ && !s.empty() && decode_utf8(bytes_of(s), bytes_of(s) + s.size()).length == s.size());
  };
  if (model.merges_are_reached && merges_.packed()) {
    reached.assign(merged.size(), true);
  } else {
    reached = reached_symbols(merges, merges_);
  }
  for (uint32_t id = 0; id < reached.size() && id < merged.size(); ++id) {
    if (!merged[id] && !single(contents[id])) reached[id] = false;
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

// Pieces on their way to ids. Looking up one piece costs more in waiting for memory than in work, so the lines of a whole
// batch are asked for before the first is read. A new piece waits several times in turn (for the table of tokens, for each of
// its merges), so where many are new, batches are larger: there are more of them to wait together.
class PieceEncoder::Batch {
 public:
  Batch(const PieceEncoder& encoder, const uint8_t* base, const uint8_t* end, Scratch& scratch, Sink& sink)
      : encoder_(encoder), base_(base), end_(end), scratch_(scratch), sink_(sink) {}

  // Pieces from `begin` on that end at `ends`.
  template <bool kCut = true>
  void push(uint32_t begin, const uint32_t* ends, size_t count) {
    const auto size = static_cast<size_t>(end_ - base_);
    const auto whole = static_cast<uint32_t>(size < 16 ? 0 : size - 15);  // 16 bytes can be read before this
    for (size_t i = 0; i < count;) {
      if (count_ >= limit_) flush();
      // No call in this loop: everything stays in registers.
      const size_t stop = std::min(count, i + (limit_ - count_));
      const PieceMemo::View::Lines lines = scratch_.memo.lines();
      const uint8_t* const base = base_;
      const uint64_t part_mark = encoder_.part_mark_;
      Item* item = items_ + count_;
      for (; i < stop; ++i) {
        const uint32_t length = ends[i] - begin;
        if (__builtin_expect(length > PieceKey::kMaxBytes || begin >= whole, 0)) break;
        item->key = PieceKey::load(base + begin, length);
        if (!kCut) item->key.high |= part_mark;
        item->hash = item->key.hash();
        item->begin = begin;
        __builtin_prefetch(lines.at(item->hash));
        ++item;
        begin = ends[i];
      }
      count_ = static_cast<size_t>(item - items_);
      if (i < stop) {
        if (kCut) {
          push_any(begin, ends[i] - begin);
        } else {
          push_whole(begin, ends[i] - begin, encoder_.part_mark_);
        }
        begin = ends[i++];
      }
    }
  }
  void flush() {
    if (count_ == 0) return;
    scratch_.memo.refresh();
    missed_ = 0;
    if (limit_ == kLearning) learn();
    const size_t bytes = items_[count_ - 1].begin + size_of(items_[count_ - 1]) - items_[0].begin;
    if (sink_.capacity == 0) {
      resolve<false>(nullptr);
    } else if (sink_.count < sink_.capacity && sink_.capacity - sink_.count >= bytes + kSlack) {
      resolve<true>(sink_.out + sink_.count);
    } else {
      const size_t before = sink_.count;
      resolve<true>(staged(bytes + kSlack));
      const size_t room = before < sink_.capacity ? std::min(sink_.capacity - before, sink_.count - before) : 0;
      if (room) std::copy_n(scratch_.staged.data(), room, sink_.out + before);
    }
    scratch_.lookups += count_;
    limit_ = missed_ * kSeldom >= count_ ? kLearning : kKnown;
    count_ = 0;
  }
  void push_any(uint32_t begin, uint32_t size) {
    if (size > PieceKey::kMaxBytes && encoder_.cuts_ && !encoder_.characters_only_ && !is_ascii(base_ + begin, size)) {
      push_parts(begin, size);
    } else {
      push_whole(begin, size);
    }
  }
  // A piece cut at its seams.
  void push_parts(uint32_t begin, uint32_t size) {
    uint32_t ends[Seams::kMostParts];
    const uint8_t* const end = base_ + begin + size;
    const uint32_t first = begin;
    for (const uint8_t* at = base_ + begin; at < end && !sink_.stopped();) {
      const size_t n = encoder_.seams_.parts(base_, at, end, ends);
      if (begin == first && ends[0] == first + size) return push_whole(begin, size);  // no seam: the piece as it is
      push<false>(begin, ends, n);
      begin = ends[n - 1];
    }
  }
  void push_whole(uint32_t begin, uint32_t size, uint64_t part_mark = 0) {
    if (count_ >= limit_) flush();
    const uint8_t* const p = base_ + begin;
    Item& item = items_[count_++];
    item.begin = begin;
    if (size <= PieceKey::kMaxBytes) {
      item.key = end_ - p >= 16 ? PieceKey::load(p, size) : PieceKey::load_exactly(p, size);
      item.key.high |= part_mark;
      item.hash = item.key.hash();
      __builtin_prefetch(scratch_.memo.lines().at(item.hash));
    } else {
      item.key = {size | part_mark, kLong};
      item.hash = (size <= PieceMemo::kMaxLong ? PieceMemo::View::hash(p, size) : 0) ^ part_mark;
      scratch_.memo.prefetch_long(item.hash);
    }
  }

 private:
  static constexpr size_t kKnown = 128, kLearning = 512;  // items of a batch
  static constexpr size_t kSeldom = 128;  // one new piece in so many does not pay for learn()
  static constexpr size_t kParts = 512;
  static constexpr size_t kJobs = 32;
  static constexpr size_t kSlack = Sink::kSlack;
  static constexpr uint64_t kLong = ~uint64_t{0};  // in key.high: no key, its length would be 255

  struct Item {
    PieceKey key;
    uint64_t hash;
    uint32_t begin;
  };
  static size_t size_of(const Item& item) {
    return item.key.high == kLong ? static_cast<uint32_t>(item.key.low) : static_cast<size_t>(item.key.high >> 56 & 15);
  }
  // Of an item without a key.
  static bool is_part(const Item& item) { return item.key.low >> 63 != 0; }
  uint32_t* staged(size_t size) {
    if (scratch_.staged.size() < size) scratch_.staged.resize(size);
    return scratch_.staged.data();
  }

  // What each new piece waits for is asked for beforehand for all, and those that are merged are merged together. They are in
  // the memo afterwards. Of a piece with seams these are the parts; resolve() finds them when it puts them together.
  void learn() {
    size_t parts = 0;
    size_t n = unknown(items_, count_);
    for (size_t k = 0; k < n; ++k) learn_one(items_[fresh_[k]], parts);
    for (size_t k = 0; k < long_count_; ++k) learn_long(items_[long_[k]]);
    merge_jobs();
    if (parts == 0) return;
    n = unknown(parts_, parts);
    for (size_t k = 0; k < n; ++k) learn_one(parts_[fresh_[k]], parts);
    merge_jobs();
  }

  // Which of the items are not in their first places, by index in fresh_ (few of them are in others); and those without a key,
  // in long_.
  size_t unknown(const Item* items, size_t count) {
    const PieceMemo::View::Lines lines = scratch_.memo.lines();
    size_t n = 0;
    long_count_ = 0;
    for (size_t i = 0; i < count; ++i) {
      const PieceMemo::Entry* const line = lines.at(items[i].hash);
      const PieceKey& key = items[i].key;
      uint64_t miss = std::min(line[0].difference(key), line[1].difference(key));
#if defined(__GNUC__)
      __asm__("" : "+r"(miss));  // see resolve()
#endif
      const bool is_long = key.high == kLong;
      fresh_[n] = long_[long_count_] = static_cast<uint16_t>(i);
      n += static_cast<size_t>(miss != 0) & static_cast<size_t>(!is_long);
      long_count_ += is_long;
    }
    for (size_t k = 0; k < n; ++k) encoder_.tokens_.prefetch(items[fresh_[k]].hash);
    for (size_t k = 0; k < n; ++k) encoder_.tokens_.prefetch_key(items[fresh_[k]].hash);
    return n;
  }

  // `parts`: how many there are in parts_; only whole pieces are cut.
  void learn_one(const Item& item, size_t& parts) {
    uint32_t ids[PieceKey::kMaxBytes];
    if (scratch_.memo.find(item.key, item.hash, ids) != PieceMemo::kUnknown) return;
    const uint32_t whole = encoder_.whole_token(item.key, item.hash);
    if (whole != kNoId) {
      ++missed_;
      ++scratch_.misses;
      scratch_.memo.insert(item.key, item.hash, &whole, 1);
      return;
    }
    const uint8_t* const piece = base_ + item.begin;
    const size_t size = size_of(item);
    const bool part = &item >= parts_ && &item < parts_ + kParts;
    if (!part && encoder_.may_have_seams(piece, size)) {
      uint32_t ends[Seams::kMostParts];
      const uint8_t* at = piece;
      const size_t n = encoder_.seams_.parts(piece, at, piece + size, ends);
      if (n > 1) {
        if (parts + n > kParts) return;
        uint32_t begin = 0;
        for (size_t i = 0; i < n; ++i) {
          Item& own = parts_[parts++];
          own.begin = item.begin + begin;
          own.key = encoder_.part_key(piece + begin, ends[i] - begin);
          own.hash = own.key.hash();
          __builtin_prefetch(scratch_.memo.lines().at(own.hash));
          begin = ends[i];
        }
        return;
      }
    }
    merge_later(item, size);
  }

  void learn_long(const Item& item) {
    const uint8_t* const piece = base_ + item.begin;
    const size_t size = size_of(item);
    uint32_t ids[MergeJob::kMost];
    if (size > MergeJob::kMost || scratch_.memo.find_long(piece, size, item.hash, ids) != PieceMemo::kUnknown) return;
    if (encoder_.whole_long(piece, size, is_part(item)) == kNoId) merge_later(item, size);
  }

  void merge_later(const Item& item, size_t size) {
    if (!encoder_.prepare_merge(base_ + item.begin, size, jobs_[job_count_])) return;
    job_items_[job_count_++] = &item;
    if (job_count_ == kJobs) merge_jobs();
  }

  void merge_jobs() {
    encoder_.merges_.merge_many(jobs_, job_count_);
    for (size_t k = 0; k < job_count_; ++k) {
      const Item& item = *job_items_[k];
      if (item.key.high == kLong) {
        scratch_.memo.insert_long(base_ + item.begin, size_of(item), item.hash, jobs_[k].symbols, jobs_[k].count);
      } else {
        scratch_.memo.insert(item.key, item.hash, jobs_[k].symbols, jobs_[k].count);
      }
    }
    missed_ += job_count_;
    scratch_.misses += job_count_;
    job_count_ = 0;
  }

  template <bool kStore>
  void resolve(uint32_t* const out_begin) {
    uint32_t* out = out_begin;
    size_t counted = 0;
    PieceMemo::View::Lines lines = scratch_.memo.lines();
    const uint32_t* spilled = scratch_.memo.spilled();
    const Item* const stop = items_ + count_;
    for (const Item* item = items_; item < stop; ++item) {
      const PieceMemo::Entry* const line = lines.at(item->hash);
      // Which of the two it is cannot be predicted: no branch asks that.
      const uint64_t first = line[0].difference(item->key), second = line[1].difference(item->key);
      const PieceMemo::Entry* const e = line + (first != 0);
      uint64_t miss = std::min(first, second);
#if defined(__GNUC__)
      __asm__("" : "+r"(miss));  // keeps the compiler from taking the minimum apart
#endif
      if (__builtin_expect(miss == 0, 1)) {
        if (kStore) {
          // Four ids, however many there are: the next piece writes over what is too much. Nor does where they are cost a branch.
          const uint32_t* ids = e->ids;
          const uint32_t* const far = spilled + e->ids[0];
          ids = e->count > PieceMemo::kInline ? far : ids;
          std::memcpy(out, ids, 16);
          if (__builtin_expect(e->count > 4, 0)) std::memcpy(out + 4, ids + 4, 48);
          out += e->count;
        } else {
          counted += e->count;
        }
        continue;
      }
      if (kStore) {
        out += slow(*item, out);
      } else {
        counted += slow(*item, staged(size_of(*item) + kSlack));
      }
      lines = scratch_.memo.lines();
      spilled = scratch_.memo.spilled();
    }
    sink_.count += kStore ? static_cast<size_t>(out - out_begin) : counted;
  }
  size_t slow(const Item& item, uint32_t* out) {
    const uint8_t* const p = base_ + item.begin;
    if (item.key.high == kLong) return encoder_.encode_long(p, size_of(item), item.hash, is_part(item), scratch_, out);
    const uint64_t before = scratch_.misses;
    const size_t n = encoder_.encode_short(item.key, item.hash, p, size_of(item), scratch_, out);
    missed_ += scratch_.misses != before;
    return n;
  }

  const PieceEncoder& encoder_;
  const uint8_t* const base_;
  const uint8_t* const end_;
  Scratch& scratch_;
  Sink& sink_;
  size_t count_ = 0;
  size_t limit_ = kKnown;
  size_t missed_ = 0;  // in this batch
  size_t job_count_ = 0;
  size_t long_count_ = 0;
  Item items_[kLearning];
  Item parts_[kParts];
  uint16_t fresh_[std::max(kLearning, kParts) + 1];
  uint16_t long_[std::max(kLearning, kParts) + 1];
  MergeJob jobs_[kJobs];
  const Item* job_items_[kJobs];
};

void PieceEncoder::encode(std::string_view text, Scan scan, Scratch& scratch, Sink& sink) const {
  constexpr size_t kWanted = 128;
  uint32_t ends[kWanted + kScanSlack];
  const uint8_t* const base = bytes_of(text);
  const uint8_t* const end = base + text.size();
  scratch.memo.expect(text.size());
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
  if (text.empty()) return;
  const uint8_t* const base = bytes_of(text);
  const uint8_t* const end = base + text.size();
  scratch.memo.expect(text.size());
  Batch batch(*this, base, end, scratch, sink);
  if (!cuts_) {
    batch.push_whole(0, static_cast<uint32_t>(text.size()));
  } else {
    batch.push_parts(0, static_cast<uint32_t>(text.size()));
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

// A piece that has a key and is remembered in parts as well: those are met again more often than the whole.
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
    uint32_t ends[Seams::kMostParts];
    const uint8_t* at = piece;
    const size_t parts = seams_.parts(piece, at, piece + size, ends);
    if (parts == 1) {
      n = merge_bytes(piece, size, scratch, out);
    } else {
      uint32_t begin = 0;
      for (size_t i = 0; i < parts; ++i) {
        const size_t part = ends[i] - begin;
        const PieceKey own = part_key(piece + begin, part);
        n += encode_short(own, own.hash(), piece + begin, part, scratch, out + n);
        begin = ends[i];
      }
    }
  } else {
    n = merge_bytes(piece, size, scratch, out);
  }
  scratch.memo.insert(key, hash, out, n);
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
    n = characters_only_ ? merge_characters(piece, size, scratch, out) : merge_bytes(piece, size, scratch, out);
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
