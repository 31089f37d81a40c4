// The tables of a tokenizer as flat arrays, and the two questions asked of them: which ids are this piece, and what do
// these two symbols join to. Compiled for both sides.
#pragma once

#include <cstdint>
#include <cstring>

#include "runtime/host_device.hpp"
#include "tokenizer/encode_cuda/scanner.hpp"

namespace xcore::tokenizer::gpu {

inline constexpr uint32_t kNone = 0xffffffffu;
inline constexpr int kKeyBytes = 15;        // a longer piece has no key of 16 bytes
inline constexpr uint32_t kMaxPiece = 1024; // a text with a longer piece is left to the CPU
inline constexpr uint32_t kPad = 32;        // bytes that may be read behind a text

// A piece of up to 15 bytes, zero-padded; its length is the top byte, so that no key is 0.
struct Key {
  uint64_t low, high;
};

struct alignas(32) PieceEntry {
  Key key;  // high == 0: free
  uint32_t id;
};

// Tokens of 16 to kMaxPiece bytes, by hash and then by content.
struct LongEntry {
  uint64_t hash;  // 0: free
  uint32_t id;
  uint32_t where;  // in `long_bytes`: two bytes of length, then the content
};

inline constexpr uint32_t kMaxRank = (1u << 22) - 2;  // leaves room for a position beside the rank in 32 bits
inline constexpr uint32_t kApart = 0xffffffffu;       // rank of two symbols that do not join

struct Joint {
  uint32_t rank, joined;
};

struct alignas(16) PairEntry {
  uint32_t left, right;  // left == kNone: free
  Joint joint;
};

// The beginnings of added tokens: where one of them stands, a text is left to the CPU.
inline constexpr int kMaxPrefixes = 64;
struct AddedFilter {
  uint32_t starts[8];  // bit per first byte
  uint32_t count;
  struct Prefix {
    uint64_t value, mask;
  } prefixes[kMaxPrefixes];
};

struct TableView {
  ClassView classes;
  const PieceEntry* pieces;
  uint32_t piece_mask;
  const PairEntry* pairs;
  uint32_t pair_mask;
  const Joint* byte_pairs;   // [65536] by left << 8 | right
  const uint32_t* byte_ids;  // [256]
  const LongEntry* longs;    // nullptr when there is no long token
  uint32_t long_mask;
  const uint8_t* long_bytes;
};

XC_HD uint64_t load64(const uint8_t* p) {
#if defined(__CUDA_ARCH__)
  // Aligned words around p; the buffer starts aligned and has kPad bytes behind it.
  const auto at = reinterpret_cast<uintptr_t>(p);
  const auto* w = reinterpret_cast<const uint32_t*>(at & ~uintptr_t{3});
  const uint32_t shift = static_cast<uint32_t>(at & 3) * 8;
  const uint32_t a = w[0], b = w[1], c = w[2];
  return static_cast<uint64_t>(__funnelshift_r(b, c, shift)) << 32 | __funnelshift_r(a, b, shift);
#else
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
#endif
}

XC_HD Key key_of(const uint8_t* piece, uint32_t size) {
  uint64_t low = load64(piece);
  uint64_t high = size > 8 ? load64(piece + 8) : 0;
  if (size < 8) low &= (uint64_t{1} << 8 * size) - 1;
  high = size > 8 ? high & ((uint64_t{1} << 8 * (size - 8)) - 1) : 0;
  return {low, high | static_cast<uint64_t>(size) << 56};
}

XC_HD uint32_t hash_of(const Key& k) {
  uint64_t h = k.low * 0x9ddfea08eb382d69ull ^ (k.high ^ k.high >> 29) * 0x9e3779b97f4a7c15ull;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ull;
  return static_cast<uint32_t>(h >> 32);
}

// nullptr when the table lacks the key. The table is never full.
XC_HD const PieceEntry* find_piece(const TableView& t, const Key& key) {
  for (uint32_t i = hash_of(key) & t.piece_mask;; i = (i + 1) & t.piece_mask) {
    const PieceEntry* const e = t.pieces + i;
    if (e->key.low == key.low && e->key.high == key.high) return e;
    if (e->key.high == 0) return nullptr;
  }
}

XC_HD uint32_t hash_of_pair(uint32_t left, uint32_t right) {
  uint32_t h = left * 0x9e3779b1u ^ (right + 0x7f4a7c15u) * 0x85ebca77u;
  h ^= h >> 15;
  h *= 0x2c1b3c6du;
  return h ^ h >> 13;
}

// A look into the table of pairs, in two steps, so that several can be on their way at once. Entries are looked at two by two:
// those are one sector of the L2 cache, and a look waits for one more only where both are taken by others.
class PairLookup {
 public:
  XC_HD PairLookup(const TableView& t, uint32_t left, uint32_t right)
      : t_(t), left_(left), right_(right), i_(hash_of_pair(left, right) & t.pair_mask & ~1u), first_(t.pairs[i_]), second_(t.pairs[i_ + 1]) {}
  // Rank kApart when the two do not join. The table is never full.
  XC_HD Joint joint() {
    for (;;) {
      if (ends(first_)) return first_.joint;
      if (ends(second_)) return second_.joint;
      i_ = (i_ + 2) & t_.pair_mask;
      first_ = t_.pairs[i_];
      second_ = t_.pairs[i_ + 1];
    }
  }

 private:
  XC_HD bool ends(const PairEntry& e) const { return (e.left == left_ && e.right == right_) || e.left == kNone; }
  const TableView& t_;
  uint32_t left_, right_, i_;
  PairEntry first_, second_;
};
XC_HD Joint find_pair(const TableView& t, uint32_t left, uint32_t right) { return PairLookup(t, left, right).joint(); }

XC_HD uint64_t hash_long(const uint8_t* piece, uint32_t size) {
  uint64_t h = size * 0x9e3779b97f4a7c15ull;
  uint32_t i = 0;
  for (; i + 8 <= size; i += 8) {
    h = (h ^ load64(piece + i)) * 0x9ddfea08eb382d69ull;
    h ^= h >> 29;
  }
  if (i < size) h = (h ^ (load64(piece + i) & ((uint64_t{1} << 8 * (size - i)) - 1))) * 0x9ddfea08eb382d69ull;
  h ^= h >> 32;
  return h ? h : 1;
}

// The id of a token of more than kKeyBytes bytes, or kNone.
XC_HD uint32_t find_long(const TableView& t, const uint8_t* piece, uint32_t size) {
  if (!t.longs) return kNone;
  const uint64_t h = hash_long(piece, size);
  for (uint32_t i = static_cast<uint32_t>(h) & t.long_mask;; i = (i + 1) & t.long_mask) {
    const LongEntry e = t.longs[i];
    if (e.hash == 0) return kNone;
    if (e.hash != h) continue;
    const uint8_t* const content = t.long_bytes + e.where;
    bool same = (content[0] | content[1] << 8) == static_cast<int>(size);
    for (uint32_t k = 0; same && k < size; ++k) same = content[2 + k] == piece[k];
    if (same) return e.id;
  }
}

XC_HD int lowest_bit(uint64_t bits) {
#if defined(__CUDA_ARCH__)
  return __ffsll(static_cast<long long>(bits)) - 1;
#else
  return __builtin_ctzll(bits);
#endif
}
XC_HD int highest_bit(uint64_t bits) {
#if defined(__CUDA_ARCH__)
  return 63 - __clzll(static_cast<long long>(bits));
#else
  return 63 - __builtin_clzll(bits);
#endif
}

// Merges a piece of 1 to kSymbols <= 64 bytes: while two neighbours join, the pair of lowest rank, the leftmost of
// equals. Symbol i lives in slots.key(i), its rank with the next symbol above its position, slots.joined(i), what the
// two become, and slots.id(i). Returns the symbols that are left as bits.
template <uint32_t kSymbols, class Slots>
XC_HD uint64_t merge_short(const TableView& t, const uint8_t* piece, uint32_t size, const Slots& slots) {
  constexpr uint32_t kPositionBits = 6;
  const auto set = [&](uint32_t i, const Joint& j) {
    slots.key(i) = j.rank == kApart ? kApart : j.rank << kPositionBits | i;
    slots.joined(i) = j.joined;
  };
  for (uint32_t i = 0; i < kSymbols; ++i) {
    if (i >= size) {
      slots.key(i) = kApart;
      continue;
    }
    set(i, i + 1 < size ? t.byte_pairs[static_cast<uint32_t>(piece[i]) << 8 | piece[i + 1]] : Joint{kApart, 0});
    slots.id(i) = t.byte_ids[piece[i]];
  }
  uint64_t alive = size == 64 ? ~uint64_t{0} : (uint64_t{1} << size) - 1;
  for (;;) {
    uint32_t lowest = kApart;
    for (uint32_t i = 0; i < kSymbols; i += 8) {
      if (i >= size) break;
      for (uint32_t k = 0; k < 8; ++k) lowest = slots.key(i + k) < lowest ? slots.key(i + k) : lowest;
    }
    if (lowest == kApart) return alive;
    const uint32_t at = lowest & ((1u << kPositionBits) - 1);
    // The symbol right of `at` disappears.
    const uint64_t right = alive & (~uint64_t{1} << at);
    const int gone = lowest_bit(right);
    slots.key(static_cast<uint32_t>(gone)) = kApart;
    alive ^= uint64_t{1} << gone;
    const uint32_t joined = slots.joined(at);
    slots.id(at) = joined;
    const uint64_t beyond = right & (right - 1);
    const uint64_t before = alive & ((uint64_t{1} << at) - 1);
    const uint32_t next = beyond ? slots.id(static_cast<uint32_t>(lowest_bit(beyond))) : kNone;
    const uint32_t left = before ? static_cast<uint32_t>(highest_bit(before)) : 0;
    const uint32_t previous = before ? slots.id(left) : kNone;
    // Both are on their way before either is looked at.
    PairLookup after(t, joined, next), ahead(t, previous, joined);
    set(at, after.joint());
    if (before) set(left, ahead.joint());
  }
}

// Whether an added token of the filter may begin at p. Reads up to 8 bytes from p on.
XC_HD bool may_begin_added(const AddedFilter& filter, const uint8_t* p) {
  if (!(filter.starts[*p >> 5] >> (*p & 31) & 1)) return false;
  const uint64_t text = load64(p);
  for (uint32_t i = 0; i < filter.count; ++i) {
    if ((text & filter.prefixes[i].mask) == filter.prefixes[i].value) return true;
  }
  return false;
}

}  // namespace xcore::tokenizer::gpu
