// The sweep, written once on vectors of the compiler; included by one file an instruction set.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "thermo/ising/bitsliced/bitsliced.hpp"

namespace xcore::thermo::ising {
namespace {

// Always inlined: vectors wider than the instruction set have no settled calling convention.
#pragma GCC diagnostic ignored "-Wpsabi"
#define XC_LANES inline __attribute__((always_inline))

// A row is worked on in parts of the widest vector there is: wider ones are taken apart badly by compilers.
#if defined(__AVX512F__)
#define XC_LANE_BYTES 64
#elif defined(__AVX2__)
#define XC_LANE_BYTES 32
#else
#define XC_LANE_BYTES 16
#endif
constexpr int kParts = 64 / XC_LANE_BYTES;
constexpr int kPartWords = kLaneWords / kParts;

typedef uint32_t Lanes __attribute__((vector_size(XC_LANE_BYTES)));
typedef uint32_t StoredLanes __attribute__((vector_size(XC_LANE_BYTES), may_alias));

XC_LANES Lanes load(const LaneRow& row, int part) { return reinterpret_cast<const StoredLanes*>(&row)[part]; }
XC_LANES void store(LaneRow& row, int part, Lanes x) { reinterpret_cast<StoredLanes*>(&row)[part] = x; }

#if defined(__AVX512F__)
template <int table>
XC_LANES Lanes ternary(Lanes a, Lanes b, Lanes c) {
  return (Lanes)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, table);
}
// Sum and carry of three bits.
XC_LANES void add3(Lanes a, Lanes b, Lanes c, Lanes& sum, Lanes& carry) {
  carry = ternary<0xE8>(a, b, c);
  sum = ternary<0x96>(a, b, c);
}
XC_LANES Lanes and_xor(Lanes a, Lanes b, Lanes c) { return ternary<0x78>(c, a, b); }
// One digit, from the least up, of a <= b: (~a & b) | (~(a ^ b) & below).
XC_LANES Lanes not_above(Lanes a, Lanes b, Lanes below) { return ternary<0x8E>(a, b, below); }
#else
XC_LANES void add3(Lanes a, Lanes b, Lanes c, Lanes& sum, Lanes& carry) {
  const Lanes differ = a ^ b;
  carry = (a & b) | (differ & c);
  sum = differ ^ c;
}
XC_LANES Lanes and_xor(Lanes a, Lanes b, Lanes c) { return (a & b) ^ c; }
// Where a and b differ it is b, elsewhere what was below.
XC_LANES Lanes not_above(Lanes a, Lanes b, Lanes below) { return below ^ ((a ^ b) & (b ^ below)); }
#endif

struct Xoshiro {
  Lanes s0, s1, s2, s3;
  int part;
  Xoshiro(const LaneRandom& r, int part)
      : s0(load(r.state[0], part)), s1(load(r.state[1], part)), s2(load(r.state[2], part)), s3(load(r.state[3], part)),
        part(part) {}
  void save(LaneRandom& r) const {
    store(r.state[0], part, s0);
    store(r.state[1], part, s1);
    store(r.state[2], part, s2);
    store(r.state[3], part, s3);
  }
  static XC_LANES Lanes rotate(Lanes x, int k) { return (x << k) | (x >> (32 - k)); }
  XC_LANES Lanes next() {
    const Lanes out = rotate(s0 + s3, 7) + s0;
    const Lanes t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotate(s3, 11);
    return out;
  }
  // See LaneThresholds.
  XC_LANES Lanes bernoulli(const LaneRow* plane, int digits) {
    Lanes y = load(plane[0], part);
    for (int b = 1; b <= digits; ++b) y = and_xor(y, next(), load(plane[b], part));
    return y;
  }
};

// Reduces `count` bits of equal value to one sum plane; their carries, half as many, go to `carries`.
XC_LANES Lanes add_column(const Lanes* bits, int count, Lanes* carries, int& carry_count) {
  if (count == 0) return Lanes{};
  Lanes sum = bits[0];
  int k = 1;
  for (; k + 1 < count; k += 2) {
    add3(sum, bits[k], bits[k + 1], sum, carries[carry_count++]);
  }
  if (k < count) {
    carries[carry_count++] = sum & bits[k];
    sum ^= bits[k];
  }
  return sum;
}

constexpr int kSumPlanes = 32;

// The planes of A, the weight of the satisfied bonds of spin i. Returns how many there are.
XC_LANES int satisfied_weight(const BitslicedProgram& p, const BitslicedProgram::Spin& spin, const LaneRow* rows, int row_part, Lanes self,
                            Lanes* column, Lanes* carries, Lanes* planes) {
  const int32_t* entry = p.entries.data() + spin.first_entry;
  int waiting = 0, level = 0;  // `waiting` carries stand in `column`
  while (level < spin.levels || waiting > 0) {
    int count = waiting;
    if (level < spin.levels) {
      const auto part = p.levels[spin.first_level + level];
      for (int k = 0; k < part.antiferro; ++k) column[count++] = load(rows[*entry++], row_part) ^ self;
      const Lanes opposite = ~self;
      for (int k = 0; k < part.ferro; ++k) column[count++] = load(rows[*entry++], row_part) ^ opposite;
    }
    int carried = 0;
    planes[level++] = add_column(column, count, carries, carried);
    Lanes* const other = column;
    column = carries;
    carries = other;
    waiting = carried;
  }
  return level;
}

inline void sweep_part(const BitslicedProgram& p, LaneRow* rows, LaneRandom& random, const LaneThresholds& t, LaneRow* scratch,
                       int row_part, int32_t first, int32_t last) {
  Xoshiro draws(random, row_part);
  Lanes* const column = reinterpret_cast<Lanes*>(scratch);
  Lanes* const carries = column + p.scratch_rows / 2;
  Lanes planes[kSumPlanes];
  const LaneRow* const odd_masks = t.plane(t.planes);
  const LaneRow* const overflow_masks = t.plane(t.planes + t.any_odd);
  for (int32_t i = first; i < last; ++i) {
    const BitslicedProgram::Spin& spin = p.spins[i];
    const Lanes self = load(rows[i], row_part);
    const int sums = satisfied_weight(p, spin, rows, row_part, self, column, carries, planes);
    const uint32_t half = spin.weight / 2;
    // Digit by digit: limit = half + G / 2 (+ G mod 2), and whether A <= limit so far.
    Lanes carry{};
    if ((spin.weight & 1) && t.any_odd) carry = draws.bernoulli(odd_masks, t.resolution);
    Lanes accepted = ~Lanes{};
    int j = 0;
    for (; j < t.planes; ++j) {
      const Lanes g = draws.bernoulli(t.plane(j), t.resolution);
      Lanes limit;
      if (half >> j & 1) {
        limit = ~(g ^ carry);
        carry |= g;
      } else {
        limit = g ^ carry;
        carry &= g;
      }
      accepted = not_above(j < sums ? planes[j] : Lanes{}, limit, accepted);
    }
    for (; j < sums || half >> j != 0; ++j) {
      Lanes limit = carry;
      if (half >> j & 1) {
        limit = ~carry;
      } else {
        carry = Lanes{};
      }
      accepted = not_above(j < sums ? planes[j] : Lanes{}, limit, accepted);
    }
    accepted |= carry;
    if (t.any_overflow) accepted |= draws.bernoulli(overflow_masks, t.resolution);
    store(rows[i], row_part, self ^ accepted);
  }
  draws.save(random);
}

// Words do not know of each other, so the parts may be swept one after the other.
inline void sweep(const BitslicedProgram& p, LaneRow* rows, LaneRandom& random, const LaneThresholds& t, LaneRow* scratch,
                  int32_t first, int32_t last) {
  for (int part = 0; part < kParts; ++part) sweep_part(p, rows, random, t, scratch, part, first, last);
}

}  // namespace
}  // namespace xcore::thermo::ising
