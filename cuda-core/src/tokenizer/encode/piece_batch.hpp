// Pieces on their way to ids. Looking up one piece costs more in waiting for memory than in work, so the lines of a whole
// batch are asked for before the first is read. Pieces that are not in the memo are left out at first and learned together,
// since each waits several times in turn (for the table of tokens, for each of its merges); then room is made for their ids
// between those of the others. Where many pieces are new batches are larger: there are more of them to wait together.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "tokenizer/encode/piece_encoder.hpp"

namespace xcore::tokenizer {

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
    left_out_ = 0;
    for (size_t k = 0; k < long_count_; ++k) scratch_.memo.prefetch_ids(items_[long_[k]].hash);
    long_count_ = 0;
    const size_t bytes = items_[count_ - 1].begin + size_of(items_[count_ - 1]) - items_[0].begin + std::exchange(tokens_, 0);
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
    limit_ = left_out_ * kSeldom >= count_ ? kLearning : kKnown;
    count_ = 0;
  }
  void push_any(uint32_t begin, uint32_t size) {
    const bool parts = size > PieceKey::kMaxBytes && encoder_.may_have_seams(base_ + begin, size);
    if (parts && (size > PieceMemo::kMaxLong || scratch_.memo.first_seen(PieceMemo::View::hash(base_ + begin, size)))) {
      push_parts(begin, size);
    } else {
      push_whole(begin, size);
    }
  }
  // Of a SentencePiece model.
  void push_characters(uint32_t begin, uint32_t size) {
    if (size == 0) return;
    if (encoder_.cuts_) {
      push_parts(begin, size);
    } else {
      push_whole(begin, size);
    }
  }
  // No piece, but a token that stands between the pieces.
  void push_token(uint32_t begin, uint32_t token) {
    if (count_ >= limit_) flush();
    items_[count_++] = {{static_cast<uint64_t>(token) << 32, kLong}, 0, begin};
    ++tokens_;
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
      long_[long_count_++] = static_cast<uint16_t>(count_ - 1);
    }
  }

 private:
  static constexpr size_t kKnown = 128, kLearning = 1024;  // items of a batch
  static constexpr size_t kSeldom = 128;  // one new piece in so many does not pay for large batches
  static constexpr size_t kParts = 512;
  static constexpr size_t kJobs = 128;
  static constexpr size_t kSlack = Sink::kSlack;
  // In key.high: no key, its length would be 255. key.low then is the size and the mark of a part, or, of size 0, a token.
  static constexpr uint64_t kLong = ~uint64_t{0};

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

  // The pieces that were left out are in the memo afterwards, but for what it has no room for. Of a piece with seams these are
  // the parts; the whole is put together from them when its ids are asked for.
  void learn() {
    parts_count_ = 0;
    for (size_t k = 0; k < left_out_; ++k) prefetch_token(items_[left_[k].item]);
    for (size_t k = 0; k < left_out_; ++k) {
      const Item& item = items_[left_[k].item];
      if (item.key.high == kLong) {
        learn_long(item);
      } else {
        learn_one(item);
      }
    }
    merge_jobs();
    learn_parts();
  }
  void prefetch_token(const Item& item) const { encoder_.tokens_.prefetch(item.hash); }

  void learn_parts() {
    const PieceMemo::View::Lines lines = scratch_.memo.lines();
    const size_t count = std::exchange(parts_count_, 0);
    size_t n = 0;
    for (size_t i = 0; i < count; ++i) {
      fresh_[n] = static_cast<uint16_t>(i);
      n += !at_first(lines, parts_[i]);
    }
    for (size_t k = 0; k < n; ++k) prefetch_token(parts_[fresh_[k]]);
    uint32_t ids[16];
    for (size_t k = 0; k < n; ++k) {
      const Item& part = parts_[fresh_[k]];
      if (scratch_.memo.find(part.key, part.hash, ids) == PieceMemo::kUnknown && !learn_whole(part)) merge_later(part, size_of(part));
    }
    merge_jobs();
  }
  static bool at_first(const PieceMemo::View::Lines& lines, const Item& item) {
    const PieceMemo::Entry* const line = lines.at(item.hash);
    uint64_t miss = std::min(line[0].difference(item.key), line[1].difference(item.key));
#if defined(__GNUC__)
    __asm__("" : "+r"(miss));  // see resolve()
#endif
    return miss == 0;
  }

  bool learn_whole(const Item& item) {
    const uint32_t whole = encoder_.whole_token(item.key, item.hash);
    if (whole == kNoId) return false;
    ++scratch_.misses;
    scratch_.memo.insert(item.key, item.hash, &whole, 1);
    return true;
  }

  void learn_one(const Item& item) {
    // It may have come twice in this batch.
    if (at_first(scratch_.memo.lines(), item) || learn_whole(item)) return;
    const uint8_t* const piece = base_ + item.begin;
    const size_t size = size_of(item);
    if (encoder_.may_have_seams(piece, size)) {
      uint32_t ends[Seams::kMostParts];
      const uint8_t* at = piece;
      const size_t n = encoder_.seams_.parts(piece, at, piece + size, ends);
      if (n > 1) {
        if (parts_count_ + n > kParts) {
          merge_jobs();  // these may hold parts
          learn_parts();
        }
        uint32_t begin = 0;
        for (size_t i = 0; i < n; ++i) {
          Item& own = parts_[parts_count_++];
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
    if (size > MergeJob::kMost) return;
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
          const uint64_t is_far = 0 - static_cast<uint64_t>(e->count > PieceMemo::kInline);
          const auto near = reinterpret_cast<uintptr_t>(e->ids), far = reinterpret_cast<uintptr_t>(spilled + e->ids[0]);
          const auto* const ids = reinterpret_cast<const uint32_t*>(near ^ ((near ^ far) & is_far));
          std::memcpy(out, ids, 16);
          if (__builtin_expect(e->count > 4, 0)) std::memcpy(out + 4, ids + 4, 48);
          out += e->count;
        } else {
          counted += e->count;
        }
        continue;
      }
      size_t n = elsewhere(*item, kStore ? out : staged(size_of(*item) + kSlack));
      lines = scratch_.memo.lines();
      spilled = scratch_.memo.spilled();
      if (n == PieceMemo::kUnknown) {
        left_[left_out_++] = {static_cast<uint32_t>(item - items_), kStore ? static_cast<uint32_t>(out - out_begin) : 0};
        n = 0;
      }
      if (kStore) {
        out += n;
      } else {
        counted += n;
      }
    }
    sink_.count += kStore ? static_cast<size_t>(out - out_begin) : counted;
    if (left_out_ == 0) return;
    learn();
    insert<kStore>(out_begin, out);
  }

  // The ids of an item that is not in its first place, or kUnknown; those of one that is not kept, in any case.
  size_t elsewhere(const Item& item, uint32_t* out) {
    if (item.key.high != kLong) return scratch_.memo.find(item.key, item.hash, out);
    const size_t size = size_of(item);
    if (size == 0) {
      out[0] = static_cast<uint32_t>(item.key.low >> 32);
      return 1;
    }
    const uint8_t* const p = base_ + item.begin;
    if (size > PieceMemo::kMaxLong) return encoder_.encode_long(p, size, item.hash, is_part(item), scratch_, out);
    return scratch_.memo.find_long(p, size, item.hash, out);
  }

  // Puts the ids of what was left out between the others, which end at `end`.
  template <bool kStore>
  void insert(uint32_t* const begin, uint32_t* end) {
    auto& ids = scratch_.learned;
    size_t n = 0;
    for (size_t k = 0; k < left_out_; ++k) {
      const Item& item = items_[left_[k].item];
      const size_t size = size_of(item);
      if (ids.size() < n + size + kSlack) ids.resize(2 * (n + size + kSlack));
      n += left_[k].count = static_cast<uint32_t>(encode(item, ids.data() + n));
      if (!kStore) n = 0;
      sink_.count += left_[k].count;
    }
    if (!kStore) return;
    // Everything moves up, and then down again to where it belongs, in steps of four ids: what is too much is written over by
    // what follows, and the distance keeps it from what is still to be read.
    constexpr size_t kStep = 4;
    const uint32_t* from = begin + n + kStep;
    std::memmove(begin + n + kStep, begin, static_cast<size_t>(end - begin) * sizeof *begin);
    const auto put = [](uint32_t* to, const uint32_t* words, size_t count) {
      for (size_t i = 0; i < count; i += kStep) std::memcpy(to + i, words + i, kStep * sizeof *to);
    };
    uint32_t* to = begin;
    const uint32_t* learned = ids.data();
    for (size_t k = 0, done = 0; k < left_out_; ++k) {
      const LeftOut& l = left_[k];
      const size_t known = l.at - std::exchange(done, l.at);
      put(to, from, known);
      put(to + known, learned, l.count);
      to += known + l.count;
      from += known;
      learned += l.count;
    }
    put(to, from, static_cast<size_t>(begin + n + kStep + (end - begin) - from));
  }
  size_t encode(const Item& item, uint32_t* out) {
    const uint8_t* const p = base_ + item.begin;
    const size_t size = size_of(item);
    if (item.key.high == kLong) return encoder_.encode_long(p, size, item.hash, is_part(item), scratch_, out);
    return encoder_.encode_short(item.key, item.hash, p, size, scratch_, out);
  }

  const PieceEncoder& encoder_;
  const uint8_t* const base_;
  const uint8_t* const end_;
  Scratch& scratch_;
  Sink& sink_;
  size_t count_ = 0;
  size_t limit_ = kKnown;
  size_t tokens_ = 0;  // items that are no pieces
  size_t left_out_ = 0, parts_count_ = 0, job_count_ = 0, long_count_ = 0;
  Item items_[kLearning];
  Item parts_[kParts];
  uint16_t fresh_[kParts + 1];
  uint16_t long_[kLearning];  // items without a key
  struct LeftOut {
    uint32_t item, at, count;  // `at`: where its ids belong among those that are written
    LeftOut() = default;
    LeftOut(uint32_t item, uint32_t at) : item(item), at(at), count(0) {}
  };
  LeftOut left_[kLearning];
  MergeJob jobs_[kJobs];
  const Item* job_items_[kJobs];
};

}  // namespace xcore::tokenizer
