// Tokens by id and ids by token.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

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

// Strings in one arena, numbered; ids may have gaps.
class StringTable {
 public:
  void resize(size_t ids) { where_.resize(ids); }
  size_t size() const { return where_.size(); }
  void set(uint32_t id, std::string_view s) {
    where_[id] = {arena_.size(), static_cast<uint32_t>(s.size())};
    arena_.append(s);
  }
  std::string_view operator[](uint32_t id) const { return {arena_.data() + where_[id].begin, where_[id].size}; }

 private:
  struct Place {
    uint64_t begin = 0;
    uint32_t size = 0;
  };
  std::string arena_;
  std::vector<Place> where_;
};

// id by string, over a StringTable that outlives it and keeps its address.
class StringIndex {
 public:
  void reserve(size_t count) {
    size_t capacity = 16;
    while (capacity < count * 2) capacity *= 2;
    slots_.assign(capacity, Slot{0, kNoId});
  }
  // The id already there for the same string, or kNoId when it was inserted. Room must have been reserved.
  uint32_t insert(const StringTable& table, uint32_t id) {
    const uint64_t h = hash_bytes(table[id]);
    for (size_t i = h & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      Slot& s = slots_[i];
      if (s.id == kNoId) {
        s = {static_cast<uint32_t>(h >> 32), id};
        return kNoId;
      }
      if (s.check == static_cast<uint32_t>(h >> 32) && table[s.id] == table[id]) return s.id;
    }
  }
  uint32_t find(const StringTable& table, std::string_view key) const {
    if (slots_.empty()) return kNoId;
    const uint64_t h = hash_bytes(key);
    for (size_t i = h & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& s = slots_[i];
      if (s.id == kNoId || (s.check == static_cast<uint32_t>(h >> 32) && table[s.id] == key)) return s.id;
    }
  }

 private:
  struct Slot {
    uint32_t check, id;
  };
  std::vector<Slot> slots_;
};

}  // namespace xcore::tokenizer
