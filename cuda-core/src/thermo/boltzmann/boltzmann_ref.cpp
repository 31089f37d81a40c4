#include <vector>

#include "thermo/boltzmann/boltzmann.hpp"

namespace xcore::thermo {

void boltzmann_ref(const BoltzmannBatch& b) {
  for (int64_t row = 0; row < b.rows; ++row) {
    const double* e = b.energies + row * b.models;
    const long double t = b.temperatures[row];
    long double lowest = e[0];
    for (int32_t i = 1; i < b.models; ++i) lowest = std::fmin(lowest, static_cast<long double>(e[i]));

    std::vector<long double> p(b.models);
    long double total = 0;
    for (int32_t i = 0; i < b.models; ++i) {
      const long double above = e[i] - lowest;
      if (std::isinf(e[i])) {
        p[i] = 0;
      } else if (t == 0) {
        p[i] = above == 0 ? 1 : 0;
      } else {
        p[i] = std::isinf(t) ? 1 : std::exp(-above / t);
      }
      total += p[i];
    }
    long double mean = 0, entropy = 0;
    for (int32_t i = 0; i < b.models; ++i) {
      p[i] /= total;
      b.probabilities[row * b.models + i] = static_cast<double>(p[i]);
      if (p[i] > 0) {
        mean += p[i] * e[i];
        entropy -= p[i] * std::log(p[i]);
      }
    }

    const long double u = Philox(b.seed, b.first_stream + row).next_double();
    long double reached = 0;
    int32_t drawn = -1;
    for (int32_t i = 0; i < b.models && drawn < 0; ++i) {
      reached += p[i];
      if (reached > u) drawn = i;
    }
    b.choices[row] = drawn;

    double* r = b.readings + row * XC_THERMO_READINGS;
    const long double log_total = std::log(total);
    r[XC_THERMO_LOG_PARTITION] = static_cast<double>((lowest == 0 ? 0 : -lowest / t) + log_total);
    r[XC_THERMO_FREE_ENERGY] = static_cast<double>(total == 1 ? lowest : lowest - t * log_total);
    r[XC_THERMO_MEAN_ENERGY] = static_cast<double>(mean);
    r[XC_THERMO_ENTROPY] = static_cast<double>(entropy);
  }
}

}  // namespace xcore::thermo
