// Tokens by id and ids by token.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/flat.hpp"

namespace xcore::tokenizer {

inline constexpr uint32_t kNoId = 0xffffffffu;

inline uint64_t hash_bytes(std::string_view s) {
  uint64_t h = s.size() * 0x9e3779b97f4a7c15ull;
  const char* p = s.data();
  size_t n = s.size();
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t w;
    std::memcpy(&w, p, 8);
    h = (h ^ w) * 0x9ddfea08eb382d69ull;
    h ^= h >> 29;
  }
  uint64_t w = 0;
  if (n) std::memcpy(&w, p, n);
  h = (h ^ w) * 0x9ddfea08eb382d69ull;
  return h ^ h >> 32;
}

// How many slots of an open-addressed table are free, and how many name an id of `ids` or more. Runs over megabytes when an
// image is checked, so without a branch.
struct SlotCount {
  uint32_t free, outside;
};
template <class Slot>
SlotCount count_ids(const Flat<Slot>& slots, size_t ids) {
  const auto limit = static_cast<uint32_t>(std::min<size_t>(ids, kNoId));
  const Slot* const p = slots.data();
  const auto size = static_cast<uint32_t>(slots.size());
  uint32_t free = 0, at_least = 0;
  for (uint32_t i = 0; i < size; ++i) {
    free += p[i].id == kNoId;
    at_least += p[i].id >= limit;
  }
  return {free, at_least - free};
}

// Strings in one arena, numbered; ids may have gaps.
class StringTable {
 public:
  StringTable() = default;
  StringTable(StringTable&&) = default;
  StringTable& operator=(StringTable&&) = default;
  StringTable(const StringTable& other) : arena_(other.arena_), text_(other.text_), where_(other.where_) {
    if (!arena_.empty()) text_ = Flat<char>::view(arena_.data(), arena_.size());
  }

  void resize(size_t ids) { where_ = Flat<Place>(ids, Place{0, 0}); }
  size_t size() const { return where_.size(); }
  // Throws XC_LIMIT_EXCEEDED when all strings together reach 4 GiB.
  void set(uint32_t id, std::string_view s) {
    if (s.size() > UINT32_MAX - arena_.size()) too_large();
    where_.writable()[id] = {static_cast<uint32_t>(arena_.size()), static_cast<uint32_t>(s.size())};
    arena_.insert(arena_.end(), s.begin(), s.end());
    text_ = Flat<char>::view(arena_.data(), arena_.size());
  }
  std::string_view operator[](uint32_t id) const { return {text_.data() + where_[id].begin, where_[id].size}; }
  // Room for so many bytes in all.
  void reserve_text(size_t bytes) { arena_.reserve(bytes); }
  // What operator[] reads first, and what it refers to.
  void prefetch_place(uint32_t id) const { __builtin_prefetch(where_.data() + id); }
  void prefetch_text(uint32_t id) const { __builtin_prefetch(text_.data() + where_[id].begin); }

  // See image/image.hpp.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a, const std::string& name) {
    a.block(name + ".text", self.text_);
    a.block(name + ".places", self.where_);
    if constexpr (Archive::kReads) {
      const size_t size = self.text_.size();
      uint64_t last = 0;  // no branch in the loop: it runs over megabytes
      for (size_t id = 0; id < self.size(); ++id) last = std::max(last, uint64_t{self.where_[id].begin} + self.where_[id].size);
      a.require(last <= size, "a token lies outside the text of the tokens");
    }
  }

 private:
  struct Place {
    uint32_t begin, size;
  };
  [[noreturn]] static void too_large();

  Large<char> arena_;  // of strings that were set
  Flat<char> text_;          // the arena, or the image that the table was read from
  Flat<Place> where_;
};

// id by string, over a StringTable that outlives it and keeps its address.
class StringIndex {
 public:
  bool empty() const { return slots_.empty(); }
  void reserve(size_t count) {
    size_t capacity = 16;
    while (capacity < count * 2) capacity *= 2;
    slots_ = Flat<Slot>(capacity, Slot{0, kNoId});
  }
  // The id already there for the same string, or kNoId when it was inserted. Room must have been reserved.
  uint32_t insert(const StringTable& table, uint32_t id) { return insert(table, id, hash_bytes(table[id])); }
  uint32_t insert(const StringTable& table, uint32_t id, uint64_t h) {
    for (size_t i = h & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      Slot& s = slots_.writable()[i];
      if (s.id == kNoId) {
        s = {static_cast<uint32_t>(h >> 32), id};
        return kNoId;
      }
      if (s.check == static_cast<uint32_t>(h >> 32) && table[s.id] == table[id]) return s.id;
    }
  }
  uint32_t find(const StringTable& table, std::string_view key) const { return find(table, key, hash_bytes(key)); }
  uint32_t find(const StringTable& table, std::string_view key, uint64_t h) const {
    if (slots_.empty()) return kNoId;
    for (size_t i = h & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& s = slots_[i];
      if (s.id == kNoId || (s.check == static_cast<uint32_t>(h >> 32) && table[s.id] == key)) return s.id;
    }
  }

  // What find() reads first, and the id that it will most likely return.
  void prefetch(uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(slots_.data() + (hash & (slots_.size() - 1)));
  }
  uint32_t likely(uint64_t hash) const { return slots_.empty() ? kNoId : slots_[hash & (slots_.size() - 1)].id; }

  // `ids`: how many strings there are.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a, const std::string& name, size_t ids) {
    a.block(name, self.slots_);
    if constexpr (Archive::kReads) {
      const size_t capacity = self.slots_.size();
      const auto [free, outside] = count_ids(self.slots_, ids);
      a.require((capacity & (capacity - 1)) == 0 && (capacity == 0 || free > 0), "an index of tokens is full");
      a.require(outside == 0, "an index of tokens names one that is not there");
    }
  }

 private:
  struct Slot {
    uint32_t check, id;
  };
  Flat<Slot> slots_;
};

}  // namespace xcore::tokenizer
