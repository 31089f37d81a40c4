// What pieces were encoded to, so that a piece met again costs one probe. One memo serves all threads of a tokenizer: what
// one has learned none learns again, and it is in memory once.
//
// Nobody waits for it. Entries are only ever added: whoever adds one claims a free place, fills it, and publishes it by
// storing its key last; readers see a whole entry or none. Two threads may add the same piece; that costs a place. A
// table that gets full is replaced by a larger one, and at the limit by an empty one, beside which the old one is still
// asked (two generations, as a bounded approximation of "least recently used"). Running calls keep the tables that they
// have begun to read until their next batch of pieces.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "tokenizer/flat.hpp"
#include "tokenizer/vocabulary.hpp"

namespace xcore::tokenizer {

struct CacheStats {
  uint64_t lookups = 0, misses = 0;
  uint64_t entries = 0, bytes = 0;
};

// A piece of 1..15 bytes: the bytes, padded with zeros, and the length in the last byte. Keys of pieces differ, and none
// is zero.
struct PieceKey {
  static constexpr size_t kMaxBytes = 15;
  uint64_t low, high;

  // Reads 16 bytes at p.
  static PieceKey load(const uint8_t* p, size_t size) {
    PieceKey k;
    std::memcpy(&k.low, p, 8);
    std::memcpy(&k.high, p + 8, 8);
    k.low &= kMask[size].low;
    k.high = (k.high & kMask[size].high) | static_cast<uint64_t>(size) << 56;
    return k;
  }
  // Reads no byte outside the piece.
  static PieceKey load_exactly(const uint8_t* p, size_t size) {
    uint8_t padded[16] = {};
    std::memcpy(padded, p, size);
    return load(padded, size);
  }
  uint64_t hash() const { return (low ^ (high << 32 | high >> 32) * 0x9ddfea08eb382d69ull) * 0x9e3779b97f4a7c15ull; }

 private:
  struct Mask {
    uint64_t low, high;
  };
  static const Mask kMask[16];
};

class PieceMemo {
 public:
  static constexpr uint32_t kInline = 3;
  static constexpr size_t kMaxLong = 512;       // bytes of the longest piece that is kept
  static constexpr size_t kUnknown = SIZE_MAX;  // instead of a number of ids

  // Half a cache line; a probe reads one line of two entries and only rarely the next.
  struct Entry {
    uint64_t low, high;  // the key; high is 0 in a free place and kClaimed in one that is being filled
    uint32_t ids[kInline];
    uint8_t count;  // more than kInline: the ids are at spilled()[ids[0]], where at least four words or sixteen can be read

    // `high` is read first: it is stored last. A `low` from before that could be the zero of a free place, which is the
    // `low` of a piece of zero bytes. Of the other fields nothing may be read before both are as wanted.
    uint64_t difference(const PieceKey& key) const {
      const uint64_t other = __atomic_load_n(&high, __ATOMIC_ACQUIRE) ^ key.high;
      return other | (__atomic_load_n(&low, __ATOMIC_RELAXED) ^ key.low);
    }
  };
  static_assert(sizeof(Entry) == 32);

  explicit PieceMemo(size_t limit) { this->limit(limit); }
  PieceMemo(const PieceMemo&) = delete;
  PieceMemo& operator=(const PieceMemo&) = delete;

  // Bytes that all tables may take; empties the memo.
  void limit(size_t bytes);
  void clear();
  // Entries of both generations, but for a few that running calls have just added; bytes of what is allocated and used.
  CacheStats stats() const;

 private:
  struct Short {
    explicit Short(size_t capacity);
    Entry* place(const PieceKey& key, uint64_t hash) const;  // claimed for the key; nullptr where it is crowded
    Entry* free_place(uint64_t hash);  // the same in a table that no other thread knows yet
    const Entry* find(const PieceKey& key, uint64_t hash) const;
    Flat<Entry> entries;
    int shift;
    std::atomic<size_t> used{0};
  };
  struct Slot {
    uint64_t hash;  // 0: free, 1: being filled
    uint32_t at;    // in the arena: the ids, then the bytes
    uint16_t size, count;
  };
  struct Long {
    explicit Long(size_t capacity) : slots(Flat<Slot>::zeroed(capacity)) {}
    Slot* place(uint64_t hash) const;
    Flat<Slot> slots;
    std::atomic<size_t> used{0};
  };
  struct Arena {
    explicit Arena(size_t words);
    // Where so many words are, or kUnknown.
    size_t take(size_t words);
    std::unique_ptr<uint32_t[]> words;  // only what is used is touched
    size_t size;
    std::atomic<size_t> used{0};
  };
  // A Bloom filter of one hash.
  struct Seen {
    static constexpr size_t kBits = size_t{1} << 18;
    std::atomic<uint64_t> words[kBits / 64] = {};
    std::atomic<size_t> used{0};
    bool add(uint64_t hash);  // false when it was there
  };
  struct Generation {
    std::shared_ptr<Short> shorts;
    std::shared_ptr<Long> longs;
    std::shared_ptr<Arena> arena;
    std::shared_ptr<Seen> seen;
  };
  struct State {
    Generation now, before;
  };

 public:
  // A running call's access.
  class View {
   public:
    View() = default;
    explicit View(PieceMemo& memo) : memo_(&memo) { follow(); }
    ~View() { leave(); }
    View(View&& o) noexcept { *this = std::move(o); }
    View& operator=(View&& o) noexcept;

    // To be called from time to time: goes on with the tables that are current.
    void refresh() {
      if (version_ != memo_->version_.load(std::memory_order_relaxed)) follow();
    }

    // Before a text of so many bytes: a table that need not grow step by step while it is read. English has a new piece about
    // every 100 bytes of 4 MB, text of many languages one every 40.
    void expect(size_t bytes) {
      if (bytes / kBytesAnEntry > entries_) grow(2 * bytes / kBytesAnEntry - 1);
    }

    // Where an entry of a hash is, if it is in its first place: a line of two entries. Good until the next call of
    // refresh(), find() or insert().
    struct Lines {
      const Entry* table;
      int shift;
      const Entry* at(uint64_t hash) const { return table + ((hash >> shift) << 1); }
    };
    Lines lines() const { return lines_; }
    const uint32_t* spilled() const { return spilled_; }

    // Wherever it is: writes the ids and returns their number, or kUnknown. May write over sixteen words.
    size_t find(const PieceKey& key, uint64_t hash, uint32_t* ids);
    void insert(const PieceKey& key, uint64_t hash, const uint32_t* ids, size_t count);

    // Pieces that have no key, of up to kMaxLong bytes.
    static uint64_t hash(const uint8_t* piece, size_t size);
    size_t find_long(const uint8_t* piece, size_t size, uint64_t hash, uint32_t* ids);
    void insert_long(const uint8_t* piece, size_t size, uint64_t hash, const uint32_t* ids, size_t count);
    // What find_long() reads first, and what after that.
    void prefetch_long(uint64_t hash) const { __builtin_prefetch(first_slot(hash)); }
    void prefetch_ids(uint64_t hash) const {
      const Slot* const slot = first_slot(hash);
      if (__atomic_load_n(&slot->hash, __ATOMIC_ACQUIRE) != (hash | 2)) return;
      const uint32_t* const words = spilled_ + slot->at;
      __builtin_prefetch(words);
      __builtin_prefetch(words + 16);
    }
    // Whether a piece of this hash is asked about for the first time, as far as is remembered. Most long pieces never come
    // again: those that can be put together from others are kept when they come twice.
    bool first_seen(uint64_t hash) const { return state_->now.seen->add(hash); }

   private:
    const Slot* first_slot(uint64_t hash) const {
      const Flat<Slot>& slots = state_->now.longs->slots;
      return slots.data() + ((hash | 2) & (slots.size() - 1));
    }
    void grow(size_t entries);
    void follow();
    void leave();
    bool find_long_in(const Generation& g, const uint8_t* piece, size_t size, uint64_t hash, const uint32_t*& ids, size_t& count) const;

    PieceMemo* memo_ = nullptr;
    std::shared_ptr<const State> state_;
    uint64_t version_ = 0;
    Lines lines_{nullptr, 0};
    const uint32_t* spilled_ = nullptr;
    size_t entries_ = 0;  // of the table
    size_t added_ = 0, added_long_ = 0;  // not yet in `used`
  };

 private:
  static constexpr uint64_t kClaimed = 1;
  static constexpr size_t kFirst = 2048;    // entries at the start
  static constexpr size_t kBytesAnEntry = 16;  // of text that is expected
  static constexpr size_t kFirstLong = 256;
  static constexpr size_t kLines = 4;       // an entry is at most so many lines behind its first place
  static constexpr size_t kAddedAtMost = 32;

  enum class Full { shorts, longs, arena };
  // Makes room where the tables of `version` are full, if no other thread has; of short pieces for `wanted` entries, where given.
  void make_room(Full what, uint64_t version, size_t wanted = 0);
  Generation fresh(size_t shorts, size_t longs) const;
  void publish(State state);

  std::atomic<uint64_t> version_{0};
  mutable std::mutex mutex_;  // guards the rest
  std::shared_ptr<const State> state_;
  size_t most_longs_ = 0, most_words_ = 0;
  std::atomic<size_t> most_shorts_{0};  // read without it
};

}  // namespace xcore::tokenizer
