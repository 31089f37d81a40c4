// Free energies from energies sampled at neighbouring temperatures.
#pragma once

#include <vector>

namespace xcore::thermo::ising {

// Energies at one temperature with how often each was seen. Energies of models of whole numbers take few values, so that what is
// summed over a million samples is summed over some hundreds of terms.
class EnergySamples {
 public:
  // unit: of which all energies are multiples, or 0. Every energy is kept as it is where they take too many values.
  EnergySamples(const std::vector<double>& energies, double unit);
  double count() const { return count_; }
  double mean() const;
  double variance() const;  // of the distribution: over count - 1; 0 for one sample
  const std::vector<double>& energies() const { return energies_; }
  const std::vector<double>& weights() const { return weights_; }

 private:
  friend EnergySamples merged(const std::vector<EnergySamples>& parts);
  EnergySamples() = default;
  std::vector<double> energies_, weights_;  // ascending where they are multiples of a unit
  double count_ = 0;
};
EnergySamples merged(const std::vector<EnergySamples>& parts);

// ln (Z(beta_b) / Z(beta_a)) by two ways.
struct FreeEnergyStep {
  double bennett = 0;   // acceptance ratio, the maximum-likelihood estimate (C. Bennett, J. Comput. Phys. 22, 245 (1976))
  double integral = 0;  // of -<E> over beta: the trapezoid with its first Euler-Maclaurin term, d<E> / d beta being -Var E
};
FreeEnergyStep free_energy_step(const EnergySamples& a, double beta_a, const EnergySamples& b, double beta_b);

}  // namespace xcore::thermo::ising
