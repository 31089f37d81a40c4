// Sums over the spins of every lane: energies, and how many spins are up or changed. Included after bitsliced_kernel.hpp by one
// file an instruction set.
#pragma once

#include "thermo/ising/bitsliced/bitsliced_kernel.hpp"

namespace xcore::thermo::ising {
namespace {

constexpr int kTotalPlanes = 56;
constexpr int kHeld = 15;  // numbers that are added in a few planes before these go to the total
constexpr int kHeldPlanes = 4;

// total += bit * 2^plane, in every lane.
XC_LANES void add_at(Lanes* total, Lanes bit, int plane) {
  for (bool any = true; any && plane < kTotalPlanes; ++plane) {
    const Lanes carry = total[plane] & bit;
    total[plane] ^= bit;
    bit = carry;
    any = false;
    for (int w = 0; w < kPartWords; ++w) any |= bit[w] != 0;
  }
}

// The numbers of all lanes of a part, from planes to one a lane.
inline void numbers_of(const Lanes* planes, int64_t* out) {
  for (int w = 0; w < kPartWords; ++w) {
    uint32_t low[32], high[32];
    bool any = false;
    for (int j = 0; j < 32; ++j) {
      low[j] = planes[j][w];
      high[j] = j + 32 < kTotalPlanes ? planes[j + 32][w] : 0;
      any |= high[j] != 0;
    }
    transpose_bits(low);
    if (any) transpose_bits(high);
    for (int l = 0; l < 32; ++l) out[32 * w + l] = static_cast<int64_t>(low[l]) | (any ? static_cast<int64_t>(high[l]) << 32 : 0);
  }
}

inline void energies_of_part(const BitslicedProgram& p, const LaneRow* rows, LaneRow* scratch, int part, int64_t* energies) {
  Lanes* const column = reinterpret_cast<Lanes*>(scratch);
  Lanes* const carries = column + p.scratch_rows / 2;
  // A has at most so many planes, and the sum of kHeld of them four more.
  const int width = 32 - __builtin_clz(p.largest_weight | 1) + kHeldPlanes;
  Lanes planes[kSumPlanes], held[kSumPlanes + kHeldPlanes] = {}, total[kTotalPlanes] = {};
  int64_t weights = 0;  // of bonds twice, as their satisfied ones are met twice; of fields, which are met once, too
  int count = 0;
  const auto release = [&] {
    for (int j = 0; j < width; ++j) {
      add_at(total, held[j], j);
      held[j] = Lanes{};
    }
    count = 0;
  };
  for (int32_t i = 0; i < p.n; ++i) {
    const auto& spin = p.spins[i];
    const Lanes self = load(rows[i], part);
    const int sums = satisfied_weight(p, spin, rows, part, self, column, carries, planes);
    Lanes carry{};
    int j = 0;
    for (; j < sums && j < width; ++j) add3(held[j], planes[j], carry, held[j], carry);
    for (; j < width; ++j) {
      const Lanes next = held[j] & carry;
      held[j] ^= carry;
      carry = next;
    }
    if (++count == kHeld) release();
    weights += spin.weight;
    // A field is the last bond of its sign to the ghost row.
    const int32_t* entry = p.entries.data() + spin.first_entry;
    for (int level = 0; level < spin.levels; ++level) {
      const auto bonds = p.levels[spin.first_level + level];
      const int32_t ends[2] = {bonds.antiferro, bonds.antiferro + bonds.ferro};
      for (const bool ferro : {false, true}) {
        if (ends[ferro] == (ferro ? ends[0] : 0) || entry[ends[ferro] - 1] != p.n) continue;
        add_at(total, ferro ? self : ~self, level);
        weights += int64_t{1} << level;
      }
      entry += ends[1];
    }
  }
  release();
  // E = W - 2 A over bonds and over fields, each now met twice.
  numbers_of(total, energies);
  for (int r = 0; r < 32 * kPartWords; ++r) energies[r] = weights / 2 - energies[r];
}

inline void energies(const BitslicedProgram& p, const LaneRow* rows, LaneRow* scratch, int64_t* out) {
  for (int part = 0; part < kParts; ++part) energies_of_part(p, rows, scratch, part, out + 32 * kPartWords * part);
}

inline void count(const LaneRow* rows, const LaneRow* others, int32_t n, int64_t* out) {
  for (int part = 0; part < kParts; ++part) {
    Lanes total[kTotalPlanes] = {};
    for (int32_t first = 0; first < n; first += kHeld) {
      Lanes held[kHeldPlanes] = {};
      const int32_t last = n - first < kHeld ? n : first + kHeld;
      for (int32_t i = first; i < last; ++i) {
        Lanes carry = load(rows[i], part);
        if (others) carry ^= load(others[i], part);
        for (Lanes& plane : held) {
          const Lanes next = plane & carry;
          plane ^= carry;
          carry = next;
        }
      }
      for (int j = 0; j < kHeldPlanes; ++j) add_at(total, held[j], j);
    }
    numbers_of(total, out + 32 * kPartWords * part);
  }
}

}  // namespace
}  // namespace xcore::thermo::ising
