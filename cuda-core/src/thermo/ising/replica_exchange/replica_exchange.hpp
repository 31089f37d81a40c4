// Replica exchange (parallel tempering) of Ising models, with its diagnostics and free energies.
//
// Each chain holds one replica a temperature. After every round of sweeps neighbouring temperatures swap replicas with
// probability min(1, exp((beta' - beta)(E' - E))), the even pairs and the odd pairs in turn: that order is not reversible
// and carries replicas along the ladder ballistically (S. Syed et al., JRSS B 84, 321 (2022)). Their theory also tells
// how to place temperatures: with r(beta) the rejection between neighbours, all r equal. The alternative measures where
// replicas get stuck and crowds temperatures there (H. Katzgraber et al., J. Stat. Mech. P03018 (2006)).
#pragma once

#include <vector>

#include "runtime/control.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

struct TemperOutputs {
  double* readings;    // [slots x XC_ISING_READINGS]
  double* energies;    // [chains x slots x rounds], or NULL
  double* magnetizations;  // [chains x rounds] of the coldest slot, |sum s| / n, or NULL
  int64_t* round_trips;    // [chains], or NULL
  int8_t* spins;       // [chains x slots x n] at the end, or NULL
  int8_t* best;        // [n], or NULL
};

xc_ising_temper_result temper(const xc_ising_model& model, const xc_ising_temper_options& options, xc_device device,
                              const TemperOutputs& outputs, const Control& control);

// New betas of as many, first and last kept, so that the rejections between neighbours come out equal: the running sum of
// rejections is interpolated monotonically over beta and cut into equal steps.
std::vector<double> equal_rejection_ladder(const std::vector<double>& betas, const std::vector<double>& rejections);
// New betas after the upward fractions (1 at the first, 0 at the last): density ~ sqrt of the fraction's slope.
std::vector<double> feedback_ladder(const std::vector<double>& betas, std::vector<double> upward);

}  // namespace xcore::thermo::ising
