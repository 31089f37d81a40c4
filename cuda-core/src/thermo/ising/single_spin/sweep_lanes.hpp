// One sweep of kReplicaLanes replicas in vectors of the compiler; included by one file an instruction set. (Loops over lanes that
// ought to become vectors are unrolled into scalar code before anybody looks.)
#pragma once

#include <cmath>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "thermo/ising/single_spin/single_spin.hpp"

namespace xcore::thermo::ising {

struct LaneBlock {
  int16_t* spins;              // [n x kReplicaLanes], +-1
  double* energies;            // [kReplicaLanes]
  uint64_t* flips;             // [kReplicaLanes]
  const double* beta;          // [kReplicaLanes]
  const int32_t* tables;       // of all betas
  const int32_t* middle;       // [kReplicaLanes], place of the lane's table for x = 0
  uint64_t seed, first_stream, sweep;
};
using SweepLanes = void (*)(const SweepModel&, const LaneBlock&);
void sweep_lanes_portable(const SweepModel&, const LaneBlock&);
void sweep_lanes_avx2(const SweepModel&, const LaneBlock&);
void sweep_lanes_avx512(const SweepModel&, const LaneBlock&);

namespace {

#pragma GCC diagnostic ignored "-Wpsabi"
#define XC_LANES inline __attribute__((always_inline))

constexpr int L = kReplicaLanes;
// Lanes a vector: those of 32 bits fill the widest there is. Others of a row follow in a sweep of their own.
#if defined(__AVX512F__)
constexpr int W = 16;
#else
constexpr int W = 8;
#endif
typedef uint32_t Words __attribute__((vector_size(4 * W)));
typedef int32_t Ints __attribute__((vector_size(4 * W)));
typedef int16_t Shorts __attribute__((vector_size(2 * W)));
typedef double Reals __attribute__((vector_size(8 * W)));

template <class Vector, class T>
XC_LANES Vector load(const T* from) {
  Vector out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
template <class T, class Vector>
XC_LANES void store(T* to, const Vector& x) {
  __builtin_memcpy(to, &x, sizeof x);
}

// a times a constant, the low and the high words.
XC_LANES void multiply(const Words& a, uint32_t constant, Words& low, Words& high) {
#if defined(__AVX512F__)
  const __m512i m = _mm512_set1_epi32(static_cast<int>(constant));
  const __m512i even = _mm512_mul_epu32((__m512i)a, m), odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), m);
  low = (Words)_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  high = (Words)_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
#elif defined(__AVX2__)
  const __m256i m = _mm256_set1_epi32(static_cast<int>(constant));
  const __m256i even = _mm256_mul_epu32((__m256i)a, m), odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), m);
  low = (Words)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
  high = (Words)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
#else
  for (int l = 0; l < W; ++l) {
    const uint64_t product = static_cast<uint64_t>(a[l]) * constant;
    low[l] = static_cast<uint32_t>(product);
    high[l] = static_cast<uint32_t>(product >> 32);
  }
#endif
}

XC_LANES Ints look_up(const int32_t* table, const Ints& place) {
#if defined(__AVX512F__)
  return (Ints)_mm512_i32gather_epi32((__m512i)place, table, 4);
#elif defined(__AVX2__)
  return (Ints)_mm256_i32gather_epi32(table, (__m256i)place, 4);
#else
  Ints out;
  for (int l = 0; l < W; ++l) out[l] = table[place[l]];
  return out;
#endif
}

// Draws of Philox for the streams first_stream + 0 .. W - 1 (runtime/philox.hpp): of each block one draw for each of four spins.
struct LaneDraws {
  Words stream_low, stream_high, out[4];
  uint64_t seed;
  LaneDraws(uint64_t seed, uint64_t first_stream) : seed(seed) {
    uint32_t low[W], high[W];
    for (int l = 0; l < W; ++l) {
      low[l] = static_cast<uint32_t>(first_stream + static_cast<uint64_t>(l));
      high[l] = static_cast<uint32_t>((first_stream + static_cast<uint64_t>(l)) >> 32);
    }
    stream_low = load<Words>(low);
    stream_high = load<Words>(high);
  }
  XC_LANES void draw(uint64_t block) {
    Words c0 = Words{} + static_cast<uint32_t>(block), c1 = Words{} + static_cast<uint32_t>(block >> 32);
    Words c2 = stream_low, c3 = stream_high;
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      Words low0, high0, low1, high1;
      multiply(c0, 0xD2511F53u, low0, high0);
      multiply(c2, 0xCD9E8D57u, low1, high1);
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
  }
};

// Decisions by table: everything but the draws is whole numbers of 16 bits, two instructions a bond.
inline void sweep_by_table(const SweepModel& m, const LaneBlock& b, int lane) {
  constexpr int32_t kExactSpins = 1 << 16;  // whose energies, at most 2 kTableLimit each, add up in 32 bits
  const uint64_t blocks = (static_cast<uint64_t>(m.n) + 3) / 4;
  const bool heat_bath = m.rule == XC_ISING_HEAT_BATH;
  const Ints middle = load<Ints>(b.middle + lane);
  LaneDraws draws(b.seed, b.first_stream + static_cast<uint64_t>(lane));
  for (int32_t first = 0; first < m.n; first += kExactSpins) {
    Ints gained{}, flips{};
    const int32_t end = m.n - first < kExactSpins ? m.n : first + kExactSpins;
    for (int32_t i = first; i < end; ++i) {
      if ((i & 3) == 0) draws.draw(b.sweep * blocks + static_cast<uint64_t>(i >> 2));
      Shorts h = Shorts{} + m.whole_fields[i];
      for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
        h += load<Shorts>(b.spins + static_cast<int64_t>(m.neighbours[k]) * L + lane) * m.whole_couplings[k];
      int16_t* const self = b.spins + static_cast<int64_t>(i) * L + lane;
      const Shorts now = load<Shorts>(self);
      const Ints threshold = look_up(b.tables, middle + __builtin_convertvector(heat_bath ? h : h * now, Ints));
      const Ints yes = (Ints)(draws.out[i & 3] >> (32 - kFractionBits)) < threshold;  // 0 or -1
      const Shorts yes16 = __builtin_convertvector(yes, Shorts);
      const Shorts next = heat_bath ? (yes16 & 2) - 1 : (now ^ yes16) - yes16;
      gained += __builtin_convertvector(now - next, Ints) * __builtin_convertvector(h, Ints);
      flips -= __builtin_convertvector(next != now, Ints);
      store(self, next);
    }
    for (int l = 0; l < W; ++l) {
      b.energies[lane + l] += gained[l] / m.inverse_unit;
      b.flips[lane + l] += static_cast<uint64_t>(flips[l]);
    }
  }
}

inline void sweep_by_formula(const SweepModel& m, const LaneBlock& b, int lane) {
  const uint64_t blocks = (static_cast<uint64_t>(m.n) + 3) / 4;
  const bool heat_bath = m.rule == XC_ISING_HEAT_BATH;
  LaneDraws draws(b.seed, b.first_stream + static_cast<uint64_t>(lane));
  for (int32_t i = 0; i < m.n; ++i) {
    if ((i & 3) == 0) draws.draw(b.sweep * blocks + static_cast<uint64_t>(i >> 2));
    Reals h = Reals{} + m.fields[i];
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) {
      const Shorts other = load<Shorts>(b.spins + static_cast<int64_t>(m.neighbours[k]) * L + lane);
      h += m.couplings[k] * __builtin_convertvector(__builtin_convertvector(other, Ints), Reals);
    }
    int16_t* const self = b.spins + static_cast<int64_t>(i) * L + lane;
    for (int l = 0; l < W; ++l) {
      const double now = self[l];
      const auto threshold =
          static_cast<int32_t>(acceptance(b.beta[lane + l], heat_bath ? h[l] : h[l] * now, m.rule) * (1 << kFractionBits));
      const bool yes = static_cast<int32_t>(draws.out[i & 3][l] >> (32 - kFractionBits)) < threshold;
      const double next = heat_bath ? (yes ? 1.0 : -1.0) : (yes ? -now : now);
      b.energies[lane + l] += (now - next) * h[l];
      b.flips[lane + l] += next != now;
      self[l] = static_cast<int16_t>(next);
    }
  }
}

inline void sweep_lanes(const SweepModel& m, const LaneBlock& b) {
  for (int lane = 0; lane < L; lane += W) {
    if (m.reach > 0) {
      sweep_by_table(m, b, lane);
    } else {
      sweep_by_formula(m, b, lane);
    }
  }
}

}  // namespace
}  // namespace xcore::thermo::ising
