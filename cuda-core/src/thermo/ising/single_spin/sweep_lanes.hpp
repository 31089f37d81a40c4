// One sweep of kReplicaLanes replicas in the lanes of vector registers, written as loops that compilers vectorise;
// included by one file an instruction set.
#pragma once

#include <cmath>

#include "thermo/ising/single_spin/replicas.hpp"

namespace xcore::thermo::ising {

struct LaneBlock {
  double* spins;               // [n x kReplicaLanes], +-1
  double* energies;            // [kReplicaLanes]
  uint64_t* flips;             // [kReplicaLanes]
  const double* beta;          // [kReplicaLanes]
  const int32_t* const* table; // [kReplicaLanes], each pointing at the middle of its table, or NULL
  uint64_t seed, first_stream, sweep;
};
using SweepLanes = void (*)(const SweepModel&, const LaneBlock&);
void sweep_lanes_portable(const SweepModel&, const LaneBlock&);
void sweep_lanes_avx2(const SweepModel&, const LaneBlock&);
void sweep_lanes_avx512(const SweepModel&, const LaneBlock&);

namespace {

constexpr int L = kReplicaLanes;

// The four draws of a Philox block for each lane: the block's counter is the same, the stream is the lane's.
inline void draw_blocks(uint64_t block, uint64_t first_stream, uint64_t seed, uint32_t (&out)[4][L]) {
  uint32_t c0[L], c1[L], c2[L], c3[L];
  for (int l = 0; l < L; ++l) {
    const uint64_t stream = first_stream + static_cast<uint64_t>(l);
    c0[l] = static_cast<uint32_t>(block);
    c1[l] = static_cast<uint32_t>(block >> 32);
    c2[l] = static_cast<uint32_t>(stream);
    c3[l] = static_cast<uint32_t>(stream >> 32);
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int l = 0; l < L; ++l) {
      const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0[l], p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2[l];
      c0[l] = static_cast<uint32_t>(p1 >> 32) ^ c1[l] ^ k0;
      c2[l] = static_cast<uint32_t>(p0 >> 32) ^ c3[l] ^ k1;
      c1[l] = static_cast<uint32_t>(p1);
      c3[l] = static_cast<uint32_t>(p0);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int l = 0; l < L; ++l) {
    out[0][l] = c0[l];
    out[1][l] = c1[l];
    out[2][l] = c2[l];
    out[3][l] = c3[l];
  }
}

inline void sweep_lanes(const SweepModel& m, const LaneBlock& b) {
  const uint64_t blocks = (static_cast<uint64_t>(m.n) + 3) / 4;
  uint32_t draws[4][L];
  double energies[L];
  uint64_t flips[L];
  for (int l = 0; l < L; ++l) {
    energies[l] = b.energies[l];
    flips[l] = b.flips[l];
  }
  for (int32_t i = 0; i < m.n; ++i) {
    if ((i & 3) == 0) draw_blocks(b.sweep * blocks + static_cast<uint64_t>(i >> 2), b.first_stream, b.seed, draws);
    const uint32_t* const draw = draws[i & 3];
    double h[L];
    for (int l = 0; l < L; ++l) h[l] = m.fields[i];
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) {
      const double coupling = m.couplings[k];
      const double* const other = b.spins + static_cast<int64_t>(m.neighbours[k]) * L;
      for (int l = 0; l < L; ++l) h[l] += coupling * other[l];
    }
    double* const self = b.spins + static_cast<int64_t>(i) * L;
    int32_t threshold[L];
    const bool heat_bath = m.rule == XC_ISING_HEAT_BATH;
    if (m.reach > 0) {
      int32_t x[L];
      for (int l = 0; l < L; ++l) x[l] = static_cast<int32_t>((heat_bath ? h[l] : h[l] * self[l]) * m.inverse_unit);
      for (int l = 0; l < L; ++l) threshold[l] = b.table[l][x[l]];
    } else {
      for (int l = 0; l < L; ++l)
        threshold[l] = static_cast<int32_t>(acceptance(b.beta[l], heat_bath ? h[l] : h[l] * self[l], m.rule) * (1 << kFractionBits));
    }
    for (int l = 0; l < L; ++l) {
      const bool yes = static_cast<int32_t>(draw[l] >> (32 - kFractionBits)) < threshold[l];
      const double next = heat_bath ? (yes ? 1.0 : -1.0) : (yes ? -self[l] : self[l]);
      energies[l] += (self[l] - next) * h[l];
      flips[l] += next != self[l];
      self[l] = next;
    }
  }
  for (int l = 0; l < L; ++l) {
    b.energies[l] = energies[l];
    b.flips[l] = flips[l];
  }
}

}  // namespace
}  // namespace xcore::thermo::ising
