// Metropolis sweeps of 512 replicas at once, one bit a spin (asynchronous multi-spin coding).
//
// A row of 16 words holds one spin of all replicas, replica r being bit r % 32 of word r / 32; set means s = +1. The
// work on a row is the same few logical operations whatever the replicas hold, so a core updates 512 spins in the time
// that branching code needs for a handful.
//
// With integer couplings let A be the absolute weight of the satisfied bonds of a spin and W that of all its bonds:
// flipping costs D = 2A - W (in units of 2 |coupling unit|), accepted with probability min(1, exp(-2 beta unit D)). That
// is the test D <= G of a geometric variable, P(G >= k) = q^k with q = exp(-2 beta unit). A is counted by carry-save
// adders in binary planes. G needs no logarithm either: the binary digits of a geometric variable are independent, digit
// j being 1 with odds q^(2^j), and a plane of independent bits of probability p takes one random word a binary digit of p.
//   Since D has the parity of W, D <= G reads A <= floor(W / 2) + floor(G / 2) + (W odd ? G mod 2 : 0).
//
// Multi-spin coding: M. Creutz, L. Jacobs, C. Rebbi, Phys. Rev. Lett. 42, 1390 (1979); the counting of satisfied bonds
// in planes and "demons" as binary numbers follow S. Isakov et al., Comput. Phys. Commun. 192, 265 (2015) in spirit.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/philox.hpp"
#include "thermo/ising/model/integer_model.hpp"

namespace xcore::thermo::ising {

inline constexpr int kLaneWords = 16;
inline constexpr int kLanes = 32 * kLaneWords;

// 512 bits; the kernels see them as vectors.
struct alignas(64) LaneRow {
  uint32_t word[kLaneWords];
  bool bit(int lane) const { return word[lane >> 5] >> (lane & 31) & 1; }
  void flip(int lane) { word[lane >> 5] ^= 1u << (lane & 31); }
};

// What the kernels walk through: for each spin and each binary digit of the weights, the rows of the neighbours whose
// weight has that digit, antiferromagnetic ones first. A field is a bond to the ghost row n, whose spins are all +1.
struct BitslicedProgram {
  struct Spin {
    int64_t first_entry;
    int32_t first_level, levels;
    uint32_t weight;  // W
  };
  struct Level {
    int32_t antiferro, ferro;
  };
  int32_t n = 0;
  double unit = 1;
  std::vector<Spin> spins;       // [n]
  std::vector<Level> levels;
  std::vector<int32_t> entries;
  int32_t scratch_rows = 0;      // for the adders of the largest spin
  uint32_t largest_weight = 0;   // of all W
};

BitslicedProgram compile_bitsliced(const IntegerModel& model);

// Probabilities of the random planes at one temperature, as 32-bit fractions.
struct AcceptancePlanes {
  static constexpr int kMost = 16;
  int planes = 0;            // digits 1, 2, ... of G that are not practically always 0
  uint32_t digit[kMost];
  uint32_t odd = 0;          // digit 0 of G
  uint32_t overflow = 0;     // some digit beyond `planes` is set, which accepts anything
};
// `resolution` is the number of binary digits that a sweep will look at. beta may be infinite.
AcceptancePlanes acceptance_planes(double beta_unit, uint32_t largest_weight, int resolution);

// The same, spread over the lanes. Bits of probability p come from comparing a random fraction with p, digit by digit from the
// least: with m the digit of p and x what was decided below, x becomes m ^ ((x ^ m) & r) for a random bit r, which is m where the
// digits differ (r = 0) and x where they tie. So y = x ^ m obeys y' = (y & r) ^ (m ^ m'), two operations a digit, and what is
// stored of each plane are resolution + 1 rows: y to start with, which is the least digit, then each m ^ m', the last of them
// m itself.
// Planes are: digit 1 .. planes, then `odd`, then `overflow`.
struct LaneThresholds {
  int planes = 0, resolution = 0;
  bool any_odd = false, any_overflow = false;
  std::vector<LaneRow> masks;
  const LaneRow* plane(int k) const { return masks.data() + static_cast<size_t>(k) * (resolution + 1); }
  void set_uniform(const AcceptancePlanes& planes, int resolution);
  // One a lane [kLanes]; all are brought to the same number of planes. At most 31 digits.
  void set_lanes(const AcceptancePlanes* const* lanes, int resolution);
};

// xoshiro128++ (D. Blackman, S. Vigna, ACM TOMS 47, 36 (2021)), one generator a word, seeded by Philox.
struct LaneRandom {
  LaneRow state[4];
  LaneRandom(uint64_t seed, uint64_t stream) {
    for (int w = 0; w < kLaneWords; ++w) {
      Philox draws(seed, stream, static_cast<uint64_t>(4 * w));
      for (LaneRow& s : state) s.word[w] = draws.next_u32();
      state[0].word[w] |= 1;  // the state 0 is a fixed point
    }
  }
};

// bits[k] bit l becomes bits[l] bit k: a block of a matrix is exchanged with the one across the diagonal, in halves.
inline void transpose_bits(uint32_t bits[32]) {
  uint32_t mask = 0x0000FFFFu;
  for (int half = 16; half > 0; half /= 2, mask ^= mask << half)
    for (int k = 0; k < 32; k = (k + half + 1) & ~half) {
      const uint32_t differ = (bits[k] >> half ^ bits[k + half]) & mask;
      bits[k] ^= differ << half;
      bits[k + half] ^= differ;
    }
}

// rows [n + 1], the ghost row included.
void bitsliced_randomize(const BitslicedProgram& program, LaneRow* rows, LaneRandom& random);
// Only the lanes whose bits are set, and not the ghost row.
void bitsliced_randomize(const BitslicedProgram& program, LaneRow* rows, LaneRandom& random, const LaneRow& lanes);

// One set an instruction set, the same code. scratch [program.scratch_rows].
struct BitslicedKernels {
  // Spins first .. last - 1 of one sweep in index order.
  void (*sweep)(const BitslicedProgram&, LaneRow* rows, LaneRandom&, const LaneThresholds&, LaneRow* scratch, int32_t first,
                int32_t last);
  // energies [kLanes]: of the integer model, in its units (including what fields give).
  void (*energies)(const BitslicedProgram&, const LaneRow* rows, LaneRow* scratch, int64_t* energies);
  // counts [kLanes]: of the spins that differ between rows and others, or are up where others is NULL; both [n].
  void (*count)(const LaneRow* rows, const LaneRow* others, int32_t n, int64_t* counts);
};
extern const BitslicedKernels bitsliced_portable, bitsliced_avx2, bitsliced_avx512;
const BitslicedKernels& bitsliced_kernels();  // the best that runs here

inline void bitsliced_sweep(const BitslicedProgram& program, LaneRow* rows, LaneRandom& random, const LaneThresholds& thresholds,
                            LaneRow* scratch, int32_t first, int32_t last) {
  bitsliced_kernels().sweep(program, rows, random, thresholds, scratch, first, last);
}
inline void bitsliced_sweep(const BitslicedProgram& program, LaneRow* rows, LaneRandom& random, const LaneThresholds& thresholds,
                            LaneRow* scratch) {
  bitsliced_sweep(program, rows, random, thresholds, scratch, 0, program.n);
}
inline void bitsliced_energies(const BitslicedProgram& program, const LaneRow* rows, LaneRow* scratch, int64_t* energies) {
  bitsliced_kernels().energies(program, rows, scratch, energies);
}

// The definition of a whole sweep, one replica and one bit at a time, on the same random numbers: equal to the kernels bit by bit.
void bitsliced_sweep_ref(const BitslicedProgram&, LaneRow*, LaneRandom&, const LaneThresholds&, LaneRow*);

}  // namespace xcore::thermo::ising
