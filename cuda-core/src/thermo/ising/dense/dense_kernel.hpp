// The sweep, written once for the vectorising compiler; included by one file an instruction set.
#pragma once

#include "thermo/ising/dense/dense_anneal.hpp"

namespace xcore::thermo::ising {
namespace {

constexpr int L = kDenseLanes;

// -ln of a uniform number, by 12 random bits: rarer flips than one in 2^13 have no time to happen in an annealing.
struct Exponentials {
  static constexpr int kBits = 12;
  float of[1 << kBits];
  Exponentials() {
    for (int k = 0; k < 1 << kBits; ++k) of[k] = static_cast<float>(-std::log((k + 0.5) / (1 << kBits)));
  }
};
inline const Exponentials& exponentials() {
  static const Exponentials table;
  return table;
}

inline uint32_t rotate(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

inline void next(DenseRandom& r, uint32_t* out) {
  for (int l = 0; l < L; ++l) {
    uint32_t s0 = r.state[0][l], s1 = r.state[1][l], s2 = r.state[2][l], s3 = r.state[3][l];
    out[l] = rotate(s0 + s3, 7) + s0;
    const uint32_t t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotate(s3, 11);
    r.state[0][l] = s0, r.state[1][l] = s1, r.state[2][l] = s2, r.state[3][l] = s3;
  }
}

template <class Weight>
inline void add_row(const Weight* __restrict__ row, float factor, float* __restrict__ h, int64_t count) {
  for (int64_t j = 0; j < count; ++j) h[j] += factor * static_cast<float>(row[j]);
}

template <class Weight>
inline int64_t sweep_of(const DenseModel& d, const Weight* matrix, float* s, float* h, float temperature, DenseRandom& random) {
  const float* const exponential = exponentials().of;
  const int64_t n = d.model.n;
  const float scale = temperature / 2;  // of the change 2 s h of the energy
  int64_t flips = 0;
  for (int64_t first = 0; first < n; first += L) {
    uint32_t draws[L];
    float most[L];
    next(random, draws);
    for (int l = 0; l < L; ++l) most[l] = scale * exponential[draws[l] >> (32 - Exponentials::kBits)];
    int any = 0;
    for (int l = 0; l < L; ++l) any |= s[first + l] * h[first + l] < most[l];
    if (!any) continue;
    const int end = n - first < L ? static_cast<int>(n - first) : L;
    for (int l = 0; l < end; ++l) {
      const int64_t i = first + l;
      if (!(s[i] * h[i] < most[l])) continue;
      const float twice = 2 * s[i];
      s[i] = -s[i];
      add_row(matrix + i * d.stride, -twice, h, d.stride);
      ++flips;
    }
  }
  return flips;
}

inline int64_t sweep(const DenseModel& d, float* s, float* h, float temperature, DenseRandom& random) {
  if (!d.narrow.empty()) return sweep_of(d, d.narrow.data(), s, h, temperature, random);
  if (!d.wide.empty()) return sweep_of(d, d.wide.data(), s, h, temperature, random);
  return sweep_of(d, d.real.data(), s, h, temperature, random);
}

inline void local_fields(const DenseModel& d, const float* s, float* h) {
  for (int64_t j = 0; j < d.stride; ++j) h[j] = d.fields[j];
  for (int64_t i = 0; i < d.model.n; ++i) {
    const int64_t row = i * d.stride;
    if (!d.narrow.empty()) {
      add_row(d.narrow.data() + row, s[i], h, d.stride);
    } else if (!d.wide.empty()) {
      add_row(d.wide.data() + row, s[i], h, d.stride);
    } else {
      add_row(d.real.data() + row, s[i], h, d.stride);
    }
  }
}

}  // namespace
}  // namespace xcore::thermo::ising
