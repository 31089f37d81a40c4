// A population carried along a path of temperatures.
//
// At each step from beta to beta' replica r gets the weight exp(-(beta' - beta) E_r). Population annealing resamples the
// replicas by it, so the population follows the Boltzmann distribution; the mean weights multiply to Z(beta') / Z(beta)
// (K. Hukushima, Y. Iba, AIP Conf. Proc. 690, 200 (2003); J. Machta, Phys. Rev. E 82, 026704 (2010)). Without resampling
// the weights of a path add up to its work, W = sum (beta' - beta) E, and <exp(-W)> = Z_last / Z_first holds however
// fast the path is (C. Jarzynski, Phys. Rev. Lett. 78, 2690 (1997); R. Neal, Stat. Comput. 11, 125 (2001)).
#pragma once

#include "runtime/control.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

struct PopulationOutputs {
  double* readings;  // [steps x XC_ISING_STEP_READINGS]
  double* energies;  // [replicas] at the end, or NULL
  double* works;     // [replicas], in units of k T, or NULL
  int8_t* spins;     // [replicas x n] at the end, or NULL
  int8_t* best;      // [n], or NULL
};

xc_ising_population_result anneal_population(const xc_ising_model& model, const xc_ising_population_options& options,
                                             xc_device device, const PopulationOutputs& outputs, const Control& control);

}  // namespace xcore::thermo::ising
