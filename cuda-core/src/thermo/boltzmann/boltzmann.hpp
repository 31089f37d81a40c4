// Boltzmann distributions of many small rows: p_i = exp(-E_i / T) / Z, its thermodynamic readings, and one draw a row.
//
// The exponents are taken relative to the lowest energy of the row, so nothing overflows at any temperature:
//   w_i = exp(-(E_i - E_min) / T),  log Z = -E_min / T + log sum w,  F = E_min - T log sum w,
//   U = sum p E,  S = log sum w + (U - E_min) / T.
// T = 0 and T = infinity are the limits: w_i is 1 for the exact ties of E_min (for every finite energy), else 0.
// The draw is the first i with w_0 + ... + w_i > u sum w, u being the first 53-bit number of Philox(seed, stream + row).
// Formulas: any text of statistical mechanics, e.g. L. D. Landau, E. M. Lifshitz, Statistical Physics I, sections 28-31.
#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/control.hpp"
#include "runtime/philox.hpp"
#include "xcore/thermo.h"

namespace xcore::thermo {

struct BoltzmannBatch {
  const double* energies;      // [rows x models]
  int64_t rows;
  int32_t models;
  const double* temperatures;  // [rows]
  uint64_t seed, first_stream;
  double* probabilities;       // [rows x models]
  double* readings;            // [rows x XC_THERMO_READINGS]
  int32_t* choices;            // [rows]
};

// Checks everything, then runs on the device of the rule in runtime/device.hpp.
void boltzmann(const BoltzmannBatch& batch, xc_device device, const Control& control);

// Unchecked implementations.
void boltzmann_ref(const BoltzmannBatch& batch);  // the definition, in long double
void boltzmann_cpu(const BoltzmannBatch& batch, const Control& control);
void boltzmann_cuda(const BoltzmannBatch& batch, int device, const Control& control);

// One row. Deterministic and the same code on CPU and GPU.
XC_HD void boltzmann_row(const double* energies, int32_t models, double temperature, uint64_t seed, uint64_t stream,
                         double* probabilities, double* readings, int32_t* choice) {
  double lowest = energies[0];
  for (int32_t i = 1; i < models; ++i) lowest = energies[i] < lowest ? energies[i] : lowest;

  double total = 0;
  for (int32_t i = 0; i < models; ++i) {
    // Never negative; may overflow to +infinity, which is right. A forbidden choice stays forbidden at T = infinity.
    const double above = energies[i] - lowest;
    double w;
    if (above == 0) {
      w = 1;
    } else if (energies[i] == INFINITY || temperature == 0) {
      w = 0;
    } else {
      w = temperature == INFINITY ? 1.0 : exp(-above / temperature);
    }
    probabilities[i] = w;
    total += w;
  }

  const double u = Philox(seed, stream).next_double() * total;
  double reached = 0, excess = 0;  // excess = U - E_min, a sum of terms that are not negative
  int32_t drawn = -1, last_possible = 0;
  for (int32_t i = 0; i < models; ++i) {
    const double w = probabilities[i];
    if (w > 0) {
      reached += w;
      last_possible = i;
      if (drawn < 0 && reached > u) drawn = i;
      const double p = w / total;
      excess += p * (energies[i] - lowest);
      probabilities[i] = p;
    }
  }
  // u < total and the sums are the same, so a draw was found; the fallback only guards against a defect.
  *choice = drawn < 0 ? last_possible : drawn;

  const double log_total = log(total);
  readings[XC_THERMO_LOG_PARTITION] = (lowest == 0 ? 0.0 : -lowest / temperature) + log_total;
  readings[XC_THERMO_FREE_ENERGY] = log_total == 0 ? lowest : lowest - temperature * log_total;
  readings[XC_THERMO_MEAN_ENERGY] = lowest + excess;
  readings[XC_THERMO_ENTROPY] = log_total + (excess == 0 ? 0.0 : excess / temperature);
}

}  // namespace xcore::thermo
