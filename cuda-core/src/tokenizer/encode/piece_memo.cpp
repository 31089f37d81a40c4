#include "tokenizer/encode/piece_memo.hpp"

#include <algorithm>

#include "tokenizer/vocabulary.hpp"

namespace xcore::tokenizer {

#define XC_BYTES(n) ((uint64_t{1} << (8 * (n))) - 1)
const PieceKey::Mask PieceKey::kMask[16] = {
    {0, 0}, {XC_BYTES(1), 0}, {XC_BYTES(2), 0}, {XC_BYTES(3), 0}, {XC_BYTES(4), 0}, {XC_BYTES(5), 0}, {XC_BYTES(6), 0},
    {XC_BYTES(7), 0}, {~uint64_t{0}, 0}, {~uint64_t{0}, XC_BYTES(1)}, {~uint64_t{0}, XC_BYTES(2)}, {~uint64_t{0}, XC_BYTES(3)},
    {~uint64_t{0}, XC_BYTES(4)}, {~uint64_t{0}, XC_BYTES(5)}, {~uint64_t{0}, XC_BYTES(6)}, {~uint64_t{0}, XC_BYTES(7)}};
#undef XC_BYTES

void PieceMemo::limit(size_t bytes) {
  // A quarter for spilled ids.
  most_entries_ = kFirst;
  while (most_entries_ * 2 * sizeof(Entry) <= bytes / 4 * 3) most_entries_ *= 2;
  most_spilled_ = std::max<size_t>(bytes / 4 / sizeof(uint32_t), 4096);
  if (table_.size() > most_entries_ || spilled_.capacity() > most_spilled_) clear();
}

void PieceMemo::clear() {
  table_ = Flat<Entry>(kFirst, Entry{0, 0, {0, 0, 0}, 0});
  spilled_.assign(kRead, 0);
  shift_ = 64 - __builtin_ctzll(kFirst / 2);
  used_ = 0;
}

const PieceMemo::Entry* PieceMemo::find(const PieceKey& key, uint64_t hash) {
  const size_t lines = table_.size() / 2;
  const size_t home = hash >> shift_;
  size_t at = home;
  for (size_t i = 0; i < kLines; ++i, at = (at + 1) & (lines - 1)) {
    Entry* e = table_.writable() + at * 2;
    if (e[0].high == 0) return nullptr;
    if (e->low != key.low || e->high != key.high) {
      ++e;
      if (e->high == 0) return nullptr;
      if (e->low != key.low || e->high != key.high) continue;
    }
    if (i == 0) return e;
    Entry* const first = table_.writable() + home * 2 + (victim_++ & 1);
    std::swap(*e, *first);
    return first;
  }
  return nullptr;
}

PieceMemo::Entry* PieceMemo::free_place(uint64_t hash) {
  const size_t lines = table_.size() / 2;
  size_t at = hash >> shift_;
  for (size_t i = 0; i < kLines; ++i, at = (at + 1) & (lines - 1)) {
    Entry* const e = table_.writable() + at * 2;
    if (e[0].high == 0) return e;
    if (e[1].high == 0) return e + 1;
  }
  return nullptr;
}

void PieceMemo::grow() {
  Flat<Entry> old(table_.size() * 4 <= most_entries_ ? table_.size() * 4 : table_.size() * 2, Entry{0, 0, {0, 0, 0}, 0});
  std::swap(old, table_);
  shift_ = 64 - __builtin_ctzll(table_.size() / 2);
  used_ = 0;
  for (size_t i = 0; i < old.size(); ++i) {
    if (old[i].high == 0) continue;
    Entry* const place = free_place(PieceKey{old[i].low, old[i].high}.hash());
    if (!place) continue;  // crowded: forgotten
    *place = old[i];
    ++used_;
  }
}

void PieceMemo::insert(const PieceKey& key, uint64_t hash, const uint32_t* ids, uint32_t count) {
  if (count > kInline && spilled_.size() + count > most_spilled_) clear();
  if (used_ * 8 >= table_.size() * 3 && table_.size() < most_entries_) grow();
  Entry e{key.low, key.high, {0, 0, 0}, count};
  if (count <= kInline) {
    std::copy_n(ids, count, e.ids);
  } else {
    // The last kRead are room to read.
    const size_t at = spilled_.size() - kRead;
    e.ids[0] = static_cast<uint32_t>(at);
    spilled_.resize(spilled_.size() + count);
    std::copy_n(ids, count, spilled_.data() + at);
  }
  Entry* place = free_place(hash);
  if (place) {
    ++used_;
  } else {
    const size_t lines = table_.size() / 2;
    victim_ = (victim_ + 1) % (2 * kLines);
    place = table_.writable() + (((hash >> shift_) + victim_ / 2) & (lines - 1)) * 2 + victim_ % 2;
  }
  *place = e;
}

void LongMemo::clear() {
  slots_ = {};
  arena_ = {};
  used_ = 0;
}

uint64_t LongMemo::hash(const uint8_t* piece, size_t size) {
  return hash_bytes({reinterpret_cast<const char*>(piece), size});
}

const uint32_t* LongMemo::find(const uint8_t* piece, size_t size, uint64_t hash, uint32_t& count) const {
  if (slots_.empty()) return nullptr;
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask; slots_[i].at != kFree; i = (i + 1) & mask) {
    const Slot& s = slots_[i];
    if (s.hash != hash || s.size != size) continue;
    const uint32_t* const ids = arena_.data() + s.at;
    if (std::memcmp(ids + s.count, piece, size) != 0) continue;
    count = s.count;
    return ids;
  }
  return nullptr;
}

void LongMemo::insert(const uint8_t* piece, size_t size, uint64_t hash, const uint32_t* ids, uint32_t count) {
  const size_t words = count + (size + 3) / 4;
  // Vectors double: what they may come to must fit.
  if ((arena_.size() + words) * 2 * sizeof(uint32_t) + slots_.bytes() * 2 > limit_) clear();
  if (slots_.empty() || used_ * 2 >= slots_.size()) {
    Flat<Slot> old(slots_.empty() ? 256 : slots_.size() * 2, Slot{0, kFree, 0, 0});
    std::swap(old, slots_);
    for (size_t i = 0; i < old.size(); ++i) {
      if (old[i].at == kFree) continue;
      size_t k = old[i].hash & (slots_.size() - 1);
      while (slots_[k].at != kFree) k = (k + 1) & (slots_.size() - 1);
      slots_.writable()[k] = old[i];
    }
  }
  size_t k = hash & (slots_.size() - 1);
  while (slots_[k].at != kFree) k = (k + 1) & (slots_.size() - 1);
  slots_.writable()[k] = {hash, static_cast<uint32_t>(arena_.size()), static_cast<uint16_t>(size), static_cast<uint16_t>(count)};
  ++used_;
  arena_.insert(arena_.end(), ids, ids + count);
  const size_t at = arena_.size();
  arena_.resize(at + (size + 3) / 4);
  std::memcpy(arena_.data() + at, piece, size);
}

}  // namespace xcore::tokenizer
