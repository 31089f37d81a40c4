// The Ising model as everything here reads it: a symmetric sparse matrix by rows (CSR) and fields.
//
//   E(s) = -sum_{i<j} J_ij s_i s_j - sum_i h_i s_i,   s_i = +-1
//
// Flipping spin i changes the energy by 2 s_i (h_i + sum_j J_ij s_j).
#pragma once

#include <cstdint>
#include <vector>

#include "xcore/thermo.h"

namespace xcore::thermo::ising {

struct Model {
  int32_t n = 0;
  std::vector<int64_t> offsets;     // [n + 1], into neighbours and couplings
  std::vector<int32_t> neighbours;  // ascending within a row; each edge stands in both rows
  std::vector<double> couplings;    // never 0
  std::vector<double> fields;       // [n]

  bool has_fields() const;
  int64_t edges() const { return static_cast<int64_t>(neighbours.size()) / 2; }
  double local_field(int32_t i, const int8_t* spins) const {
    double h = fields[i];
    for (int64_t k = offsets[i]; k < offsets[i + 1]; ++k) h += couplings[k] * spins[neighbours[k]];
    return h;
  }
  // h [n], of all spins.
  void local_fields(const int8_t* spins, double* h) const;
  double energy(const int8_t* spins) const;
};

struct Edge {
  int32_t a, b;
  double coupling;
};

// Adds up edges that name the same pair and drops what adds up to 0. Indices and values are taken as valid.
Model build_model(int32_t n, std::vector<Edge> edges, std::vector<double> fields);

// Checks everything that comes from outside; throws Error naming the edge or spin.
Model checked_model(const xc_ising_model& outside);
// +-1 in every place, or Error.
void check_spins(const int8_t* spins, int32_t n, const char* field);

}  // namespace xcore::thermo::ising
