// Models and exact answers for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "runtime/philox.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

// Couplings are +-1 .. +-largest, fields (some of them 0) too.
inline Model testing_random_model(int32_t n, int64_t edges, int32_t largest, bool fields, uint64_t seed) {
  Philox random(seed, 77);
  const auto weight = [&] {
    const int w = 1 + static_cast<int>(random.next_below(static_cast<uint32_t>(largest)));
    return random.next_u32() & 1 ? double(w) : double(-w);
  };
  std::vector<Edge> list;
  std::vector<char> used(static_cast<size_t>(n) * n, 0);
  for (int64_t tries = 0; static_cast<int64_t>(list.size()) < edges && tries < 100 * edges; ++tries) {
    int32_t a = static_cast<int32_t>(random.next_below(n)), b = static_cast<int32_t>(random.next_below(n));
    if (a == b) continue;
    if (a > b) std::swap(a, b);
    if (used[static_cast<size_t>(a) * n + b]++) continue;
    list.push_back({a, b, weight()});
  }
  std::vector<double> h(n, 0.0);
  for (int32_t i = 0; fields && i < n; ++i)
    if (random.next_below(4) != 0) h[i] = weight();
  return build_model(n, std::move(list), std::move(h));
}

// A torus of rows x columns, both above 2, all couplings J.
inline Model testing_square_lattice(int32_t rows, int32_t columns, double coupling) {
  std::vector<Edge> list;
  for (int32_t r = 0; r < rows; ++r)
    for (int32_t c = 0; c < columns; ++c) {
      list.push_back({r * columns + c, r * columns + (c + 1) % columns, coupling});
      list.push_back({r * columns + c, (r + 1) % rows * columns + c, coupling});
    }
  return build_model(rows * columns, std::move(list), std::vector<double>(rows * columns, 0.0));
}

// A model as callers pass it.
struct TestingOutside {
  std::vector<int32_t> edges;
  std::vector<double> weights, fields;
  xc_ising_model model{};
  explicit TestingOutside(const Model& m) : fields(m.fields) {
    for (int32_t i = 0; i < m.n; ++i)
      for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
        if (m.neighbours[k] > i) {
          edges.insert(edges.end(), {i, m.neighbours[k]});
          weights.push_back(m.couplings[k]);
        }
    model = {edges.data(), weights.data(), fields.data(), static_cast<int64_t>(weights.size()), m.n, 0};
  }
};

struct TestingBoltzmann {
  std::vector<double> probability;  // of state b, spin i up where bit i is set
  double log_partition = 0, mean_energy = 0, least_energy = 0;
};
inline TestingBoltzmann testing_boltzmann(const Model& m, double beta) {
  TestingBoltzmann out;
  const size_t states = size_t{1} << m.n;
  std::vector<double> energy(states);
  std::vector<int8_t> spins(m.n);
  out.least_energy = INFINITY;
  for (size_t b = 0; b < states; ++b) {
    for (int32_t i = 0; i < m.n; ++i) spins[i] = b >> i & 1 ? 1 : -1;
    energy[b] = m.energy(spins.data());
    out.least_energy = std::min(out.least_energy, energy[b]);
  }
  long double z = 0, u = 0;
  for (const double e : energy) z += std::exp(-beta * (e - out.least_energy));
  for (const double e : energy) {
    out.probability.push_back(static_cast<double>(std::exp(-beta * (e - out.least_energy)) / z));
    u += out.probability.back() * e;
  }
  out.mean_energy = static_cast<double>(u);
  out.log_partition = static_cast<double>(std::log(z)) - beta * out.least_energy;
  return out;
}

// Chi-square of counts against probabilities, rare states pooled; fails beyond probability 1e-5 (Wilson-Hilferty).
inline void testing_expect_chi_square(const std::vector<double>& counts, const std::vector<double>& probability,
                                      const std::string& what) {
  double total = 0;
  for (const double c : counts) total += c;
  double statistic = 0, pooled_count = 0, pooled_expected = 0;
  int cells = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = total * probability[i];
    if (expected < 10) {
      pooled_count += counts[i];
      pooled_expected += expected;
      continue;
    }
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    ++cells;
  }
  if (pooled_expected > 1) {
    statistic += (pooled_count - pooled_expected) * (pooled_count - pooled_expected) / pooled_expected;
    ++cells;
  } else {
    EXPECT_LT(pooled_count, 12) << what << ": rare states came too often";
  }
  const double k = cells - 1;
  ASSERT_GT(k, 0) << what;
  const double z = (std::cbrt(statistic / k) - (1 - 2 / (9 * k))) / std::sqrt(2 / (9 * k));
  EXPECT_LT(z, 4.3) << what << ": chi-square " << statistic << " with " << k << " degrees of freedom";
}

// Mean energy of the ferromagnetic torus (J = 1): derivative of log Z of B. Kaufman, Phys. Rev. 76, 1232 (1949).
inline double testing_kaufman_log_partition(int rows, int columns, double beta) {
  const auto gamma = [&](int r) {
    const double pi = std::acos(-1.0);
    if (r == 0) return 2 * beta + std::log(std::tanh(beta));
    return std::acosh(std::cosh(2 * beta) * std::cosh(2 * beta) / std::sinh(2 * beta) - std::cos(r * pi / columns));
  };
  double log_z[4] = {0, 0, 0, 0};
  double sign_of_last = 1;
  for (int r = 0; r < columns; ++r) {
    const double odd = rows * gamma(2 * r + 1) / 2, even = rows * gamma(2 * r) / 2;
    log_z[0] += std::fabs(odd) + std::log1p(std::exp(-2 * std::fabs(odd)));
    log_z[1] += std::fabs(odd) + std::log1p(-std::exp(-2 * std::fabs(odd)));
    log_z[2] += std::fabs(even) + std::log1p(std::exp(-2 * std::fabs(even)));
    log_z[3] += std::fabs(even) + std::log1p(-std::exp(-2 * std::fabs(even)));
    if (even < 0) sign_of_last = -sign_of_last;
  }
  const double largest = std::max(std::max(log_z[0], log_z[1]), log_z[2]);
  const double sum = std::exp(log_z[0] - largest) + std::exp(log_z[1] - largest) + std::exp(log_z[2] - largest) +
                     sign_of_last * std::exp(log_z[3] - largest);
  return -std::log(2.0) + rows * columns / 2.0 * std::log(2 * std::sinh(2 * beta)) + largest + std::log(sum);
}
inline double testing_kaufman_energy(int rows, int columns, double beta) {
  const double d = 1e-4;
  return -(testing_kaufman_log_partition(rows, columns, beta + d) - testing_kaufman_log_partition(rows, columns, beta - d)) /
         (2 * d);
}

}  // namespace xcore::thermo::ising
