#include "thermo/ising/bitsliced/bitsliced.hpp"

namespace xcore::thermo::ising {

namespace {

uint32_t rotate(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

uint32_t next_word(LaneRandom& r, int w) {
  uint32_t &s0 = r.state[0].word[w], &s1 = r.state[1].word[w], &s2 = r.state[2].word[w], &s3 = r.state[3].word[w];
  const uint32_t out = rotate(s0 + s3, 7) + s0, t = s1 << 9;
  s2 ^= s0;
  s3 ^= s1;
  s1 ^= s2;
  s0 ^= s3;
  s2 ^= t;
  s3 = rotate(s3, 11);
  return out;
}

}  // namespace

void bitsliced_sweep_ref(const BitslicedProgram& p, LaneRow* rows, LaneRandom& random, const LaneThresholds& t, LaneRow*) {
  // The digit of a geometric variable in one lane: is a random fraction below the lane's probability?
  const auto draw = [&](int w, int plane, uint32_t* bits) {
    uint32_t fraction[32] = {}, threshold[32] = {};
    uint32_t digit = t.plane(plane)[0].word[w];
    for (int b = 0; b < t.resolution; ++b) {
      const uint32_t word = next_word(random, w);
      for (int l = 0; l < 32; ++l) {
        fraction[l] |= (~(word ^ digit) >> l & 1u) << b;  // the kernel reads a random 1 as "the digits tie"
        threshold[l] |= (digit >> l & 1u) << b;
      }
      digit ^= t.plane(plane)[b + 1].word[w];
    }
    *bits = 0;
    for (int l = 0; l < 32; ++l) *bits |= static_cast<uint32_t>(fraction[l] < threshold[l]) << l;
  };
  for (int32_t i = 0; i < p.n; ++i) {
    const auto& spin = p.spins[i];
    for (int w = 0; w < kLaneWords; ++w) {
      uint32_t odd = 0, overflow = 0, digit[AcceptancePlanes::kMost];
      if ((spin.weight & 1) && t.any_odd) draw(w, t.planes, &odd);
      for (int j = 0; j < t.planes; ++j) draw(w, j, &digit[j]);
      if (t.any_overflow) draw(w, t.planes + t.any_odd, &overflow);
      uint32_t flips = 0;
      for (int l = 0; l < 32; ++l) {
        const bool self = rows[i].word[w] >> l & 1;
        int64_t satisfied = 0, geometric = odd >> l & 1;
        const int32_t* entry = p.entries.data() + spin.first_entry;
        for (int level = 0; level < spin.levels; ++level) {
          const auto part = p.levels[spin.first_level + level];
          for (int k = 0; k < part.antiferro + part.ferro; ++k) {
            const bool other = rows[*entry++].word[w] >> l & 1;
            satisfied += static_cast<int64_t>((self == other) == (k >= part.antiferro)) << level;
          }
        }
        for (int j = 0; j < t.planes; ++j) geometric += static_cast<int64_t>(digit[j] >> l & 1) << (j + 1);
        // D <= G; digit 0 of G is drawn only where it can matter.
        const bool flip = 2 * satisfied - static_cast<int64_t>(spin.weight) <= geometric || (overflow >> l & 1);
        flips |= static_cast<uint32_t>(flip) << l;
      }
      rows[i].word[w] ^= flips;
    }
  }
}

}  // namespace xcore::thermo::ising
