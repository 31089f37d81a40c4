#include "tokenizer/encode/piece_memo.hpp"

#include <algorithm>
#include <utility>

namespace xcore::tokenizer {

#define XC_BYTES(n) ((uint64_t{1} << (8 * (n))) - 1)
const PieceKey::Mask PieceKey::kMask[16] = {
    {0, 0}, {XC_BYTES(1), 0}, {XC_BYTES(2), 0}, {XC_BYTES(3), 0}, {XC_BYTES(4), 0}, {XC_BYTES(5), 0}, {XC_BYTES(6), 0},
    {XC_BYTES(7), 0}, {~uint64_t{0}, 0}, {~uint64_t{0}, XC_BYTES(1)}, {~uint64_t{0}, XC_BYTES(2)}, {~uint64_t{0}, XC_BYTES(3)},
    {~uint64_t{0}, XC_BYTES(4)}, {~uint64_t{0}, XC_BYTES(5)}, {~uint64_t{0}, XC_BYTES(6)}, {~uint64_t{0}, XC_BYTES(7)}};
#undef XC_BYTES

namespace {

constexpr size_t kRead = 16;  // words that may be read where the ids of an entry begin, if there are more than four

size_t power_of_two_below(size_t n, size_t least) {
  while (least * 2 <= n) least *= 2;
  return least;
}

}  // namespace

// ---- tables ----

PieceMemo::Short::Short(size_t capacity) : entries(Flat<Entry>::zeroed(capacity)), shift(64 - __builtin_ctzll(capacity / 2)) {}

PieceMemo::Entry* PieceMemo::Short::place(const PieceKey& key, uint64_t hash) const {
  const size_t lines = entries.size() / 2;
  auto* const table = const_cast<Entry*>(entries.data());
  size_t at = hash >> shift;
  for (size_t i = 0; i < kLines; ++i, at = (at + 1) & (lines - 1)) {
    for (Entry* e = table + at * 2; e < table + at * 2 + 2; ++e) {
      uint64_t seen = __atomic_load_n(&e->high, __ATOMIC_RELAXED);
      if (seen == key.high && __atomic_load_n(&e->low, __ATOMIC_RELAXED) == key.low) return nullptr;  // by another thread
      if (seen == 0 && __atomic_compare_exchange_n(&e->high, &seen, kClaimed, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return e;
    }
  }
  return nullptr;
}

PieceMemo::Entry* PieceMemo::Short::free_place(uint64_t hash) {
  const size_t lines = entries.size() / 2;
  Entry* const table = entries.writable();
  size_t at = hash >> shift;
  for (size_t i = 0; i < kLines; ++i, at = (at + 1) & (lines - 1)) {
    for (Entry* e = table + at * 2; e < table + at * 2 + 2; ++e) {
      if (e->high == 0) return e;
    }
  }
  return nullptr;
}

const PieceMemo::Entry* PieceMemo::Short::find(const PieceKey& key, uint64_t hash) const {
  const size_t lines = entries.size() / 2;
  size_t at = hash >> shift;
  for (size_t i = 0; i < kLines; ++i, at = (at + 1) & (lines - 1)) {
    const Entry* const line = entries.data() + at * 2;
    if (line[0].difference(key) == 0) return line;
    if (line[1].difference(key) == 0) return line + 1;
    if (__atomic_load_n(&line[1].high, __ATOMIC_RELAXED) == 0) return nullptr;
  }
  return nullptr;
}

PieceMemo::Slot* PieceMemo::Long::place(uint64_t hash) const {
  auto* const table = const_cast<Slot*>(slots.data());
  const size_t mask = slots.size() - 1;
  for (size_t i = hash & mask, tries = 0; tries < slots.size(); ++tries, i = (i + 1) & mask) {
    uint64_t seen = __atomic_load_n(&table[i].hash, __ATOMIC_RELAXED);
    if (seen == 0 && __atomic_compare_exchange_n(&table[i].hash, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return table + i;
  }
  return nullptr;
}

PieceMemo::Arena::Arena(size_t n) : words(new uint32_t[n]), size(n) {}

size_t PieceMemo::Arena::take(size_t n) {
  if (used.load(std::memory_order_relaxed) + n > size) return kUnknown;
  const size_t at = used.fetch_add(n, std::memory_order_relaxed);
  return at + n <= size ? at : kUnknown;
}

bool PieceMemo::Seen::add(uint64_t hash) {
  const uint64_t at = hash >> 32 & (kBits - 1), bit = uint64_t{1} << (at & 63);
  if (words[at >> 6].load(std::memory_order_relaxed) & bit) return false;
  // Half full it would say yes too often.
  if (used.fetch_add(1, std::memory_order_relaxed) == kBits / 2) {
    for (auto& word : words) word.store(0, std::memory_order_relaxed);
    used.store(0, std::memory_order_relaxed);
  }
  words[at >> 6].fetch_or(bit, std::memory_order_relaxed);
  return true;
}

// ---- the memo ----

void PieceMemo::limit(size_t bytes) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // Of each generation, eighths of what it may take: four for short pieces, one for the slots of long ones, and two for
    // the arena; one is left for the table that a larger one is made from.
    const size_t eighth = bytes / 16;
    most_shorts_ = power_of_two_below(4 * eighth / sizeof(Entry), kFirst);
    most_longs_ = power_of_two_below(eighth / sizeof(Slot), kFirstLong);
    most_words_ = std::max<size_t>(2 * eighth / sizeof(uint32_t), 8192);
  }
  clear();
}

void PieceMemo::clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  publish({fresh(kFirst, kFirstLong), {}});
}

PieceMemo::Generation PieceMemo::fresh(size_t shorts, size_t longs) const {
  return {std::make_shared<Short>(shorts), std::make_shared<Long>(longs), std::make_shared<Arena>(most_words_), std::make_shared<Seen>()};
}

void PieceMemo::publish(State state) {
  state_ = std::make_shared<const State>(std::move(state));
  version_.fetch_add(1, std::memory_order_relaxed);
}

void PieceMemo::make_room(Full what, uint64_t version, size_t wanted) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (version != version_.load(std::memory_order_relaxed)) return;
  State next = *state_;
  const Short& shorts = *next.now.shorts;
  const Long& longs = *next.now.longs;
  if (what == Full::shorts && shorts.entries.size() < most_shorts_) {
    auto larger = std::make_shared<Short>(wanted ? wanted : std::min<size_t>(shorts.entries.size() * 4, most_shorts_));
    size_t kept = 0;
    for (size_t i = 0; i < shorts.entries.size(); ++i) {
      const Entry& e = shorts.entries[i];
      const uint64_t high = __atomic_load_n(&e.high, __ATOMIC_ACQUIRE);
      if (high <= kClaimed) continue;
      const PieceKey key{e.low, high};
      Entry* const place = larger->free_place(key.hash());
      if (!place) continue;  // crowded: forgotten
      std::copy_n(e.ids, kInline, place->ids);
      place->count = e.count;
      place->low = key.low;
      place->high = high;  // not e.high, which others may be probing to claim
      ++kept;
    }
    larger->used = kept;
    next.now.shorts = std::move(larger);
  } else if (what == Full::longs && longs.slots.size() < most_longs_) {
    auto larger = std::make_shared<Long>(std::min(longs.slots.size() * 4, most_longs_));
    size_t kept = 0;
    for (size_t i = 0; i < longs.slots.size(); ++i) {
      const Slot& from = longs.slots[i];
      const uint64_t hash = __atomic_load_n(&from.hash, __ATOMIC_ACQUIRE);
      if (hash <= 1) continue;
      *larger->place(hash) = {hash, from.at, from.size, from.count};
      ++kept;
    }
    larger->used = kept;
    next.now.longs = std::move(larger);
  } else {
    next.before = std::move(next.now);
    next.now = fresh(std::max(shorts.entries.size() / 4, kFirst), std::max(longs.slots.size() / 4, kFirstLong));
  }
  publish(std::move(next));
}

CacheStats PieceMemo::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  CacheStats s;
  for (const Generation* g : {&state_->now, &state_->before}) {
    if (!g->shorts) continue;
    s.entries += g->shorts->used.load() + g->longs->used.load();
    s.bytes += g->shorts->entries.bytes() + g->longs->slots.bytes() + std::min(g->arena->used.load(), g->arena->size) * sizeof(uint32_t);
  }
  return s;
}

// ---- a call's access ----

PieceMemo::View& PieceMemo::View::operator=(View&& o) noexcept {
  leave();
  memo_ = o.memo_;
  state_ = std::move(o.state_);
  version_ = o.version_;
  lines_ = o.lines_;
  spilled_ = o.spilled_;
  entries_ = o.entries_;
  added_ = std::exchange(o.added_, 0);
  added_long_ = std::exchange(o.added_long_, 0);
  return *this;
}

void PieceMemo::View::leave() {
  if (!state_) return;
  state_->now.shorts->used.fetch_add(std::exchange(added_, 0), std::memory_order_relaxed);
  state_->now.longs->used.fetch_add(std::exchange(added_long_, 0), std::memory_order_relaxed);
  state_.reset();
}

void PieceMemo::View::follow() {
  leave();
  const std::lock_guard<std::mutex> lock(memo_->mutex_);
  state_ = memo_->state_;
  version_ = memo_->version_.load(std::memory_order_relaxed);
  lines_ = {state_->now.shorts->entries.data(), state_->now.shorts->shift};
  spilled_ = state_->now.arena->words.get();
  entries_ = state_->now.shorts->entries.size();
}

size_t PieceMemo::View::find(const PieceKey& key, uint64_t hash, uint32_t* ids) {
  const auto copy = [&](const Generation& g, const Entry& e) {
    const uint32_t* const from = e.count <= kInline ? e.ids : g.arena->words.get() + e.ids[0];
    std::memcpy(ids, from, 16);
    if (e.count > 4) std::memcpy(ids + 4, from + 4, 48);
    return size_t{e.count};
  };
  if (const Entry* const e = state_->now.shorts->find(key, hash)) return copy(state_->now, *e);
  if (!state_->before.shorts) return kUnknown;
  const Entry* const e = state_->before.shorts->find(key, hash);
  if (!e) return kUnknown;
  const size_t count = copy(state_->before, *e);
  insert(key, hash, ids, count);
  return count;
}

void PieceMemo::View::insert(const PieceKey& key, uint64_t hash, const uint32_t* ids, size_t count) {
  const auto full = [&] {
    const Short& s = *state_->now.shorts;
    // At the limit tables get fuller.
    const size_t eighths = s.entries.size() < memo_->most_shorts_ ? 3 : 5;
    return (s.used.load(std::memory_order_relaxed) + added_) * 8 >= s.entries.size() * eighths;
  };
  if (full()) {
    memo_->make_room(Full::shorts, version_);
    follow();
  }
  size_t at = 0;
  if (count > kInline) {
    const size_t words = count > 4 ? kRead : 4;
    at = state_->now.arena->take(words);
    if (at == kUnknown) {
      memo_->make_room(Full::arena, version_);
      follow();
      at = state_->now.arena->take(words);
      if (at == kUnknown) return;
    }
    std::copy_n(ids, count, state_->now.arena->words.get() + at);
  }
  Short& table = *state_->now.shorts;
  Entry* const e = table.place(key, hash);
  if (!e) return;
  if (count > kInline) {
    e->ids[0] = static_cast<uint32_t>(at);
  } else {
    for (size_t i = 0; i < kInline; ++i) e->ids[i] = i < count ? ids[i] : 0;
  }
  e->count = static_cast<uint8_t>(count);
  __atomic_store_n(&e->low, key.low, __ATOMIC_RELAXED);
  __atomic_store_n(&e->high, key.high, __ATOMIC_RELEASE);
  if (++added_ == kAddedAtMost) table.used.fetch_add(std::exchange(added_, 0), std::memory_order_relaxed);
}

void PieceMemo::View::grow(size_t entries) {
  const size_t size = power_of_two_below(std::min(entries, memo_->most_shorts_.load()), kFirst);
  if (size <= state_->now.shorts->entries.size()) return;
  memo_->make_room(Full::shorts, version_, size);
  follow();
}

uint64_t PieceMemo::View::hash(const uint8_t* piece, size_t size) {
  return hash_bytes({reinterpret_cast<const char*>(piece), size});
}

bool PieceMemo::View::find_long_in(const Generation& g, const uint8_t* piece, size_t size, uint64_t hash, const uint32_t*& ids,
                                   size_t& count) const {
  const Flat<Slot>& slots = g.longs->slots;
  const size_t mask = slots.size() - 1;
  for (size_t i = hash & mask, tries = 0; tries < slots.size(); ++tries, i = (i + 1) & mask) {
    const Slot& s = slots[i];
    const uint64_t seen = __atomic_load_n(&s.hash, __ATOMIC_ACQUIRE);
    if (seen == 0) return false;
    if (seen != hash || s.size != size) continue;
    ids = g.arena->words.get() + s.at;
    count = s.count;
    if (std::memcmp(ids + count, piece, size) == 0) return true;
  }
  return false;
}

size_t PieceMemo::View::find_long(const uint8_t* piece, size_t size, uint64_t hash, uint32_t* out) {
  hash |= 2;
  const uint32_t* ids = nullptr;
  size_t count = 0;
  const bool now = find_long_in(state_->now, piece, size, hash, ids, count);
  if (!now && !(state_->before.longs && find_long_in(state_->before, piece, size, hash, ids, count))) return kUnknown;
  std::copy_n(ids, count, out);
  if (!now) insert_long(piece, size, hash, out, count);
  return count;
}

void PieceMemo::View::insert_long(const uint8_t* piece, size_t size, uint64_t hash, const uint32_t* ids, size_t count) {
  hash |= 2;
  const auto full = [&] {
    const Long& l = *state_->now.longs;
    return (l.used.load(std::memory_order_relaxed) + added_long_) * 2 >= l.slots.size();
  };
  if (full()) {
    memo_->make_room(Full::longs, version_);
    follow();
  }
  const size_t words = count + (size + 3) / 4;
  size_t at = state_->now.arena->take(words);
  if (at == kUnknown) {
    memo_->make_room(Full::arena, version_);
    follow();
    at = state_->now.arena->take(words);
    if (at == kUnknown) return;
  }
  uint32_t* const place = state_->now.arena->words.get() + at;
  std::copy_n(ids, count, place);
  std::memcpy(place + count, piece, size);
  Long& table = *state_->now.longs;
  Slot* const slot = table.place(hash);
  if (!slot) return;
  slot->at = static_cast<uint32_t>(at);
  slot->size = static_cast<uint16_t>(size);
  slot->count = static_cast<uint16_t>(count);
  __atomic_store_n(&slot->hash, hash, __ATOMIC_RELEASE);
  if (++added_long_ == kAddedAtMost) table.used.fetch_add(std::exchange(added_long_, 0), std::memory_order_relaxed);
}

}  // namespace xcore::tokenizer
