// Learning of A, B and D as Dirichlet counts: accumulated coincidences, weighted by beliefs.
//   pA[m] <- retention * pA[m] + rate * o_m (x) q(dependencies)            where A[m] > 0
//   pB[f][..., u_f] <- retention * pB[f] + rate * q_f (x) q'(dependencies)  where B[f] > 0, u_f the action taken
// Entries that the model holds impossible stay so. retention = 1 forgets nothing; below 1 old counts fade.
//
// Da Costa et al. (2020), "Active inference on discrete state-spaces: a synthesis", section 7.
#pragma once

#include "agent/model.hpp"

namespace xcore::agent {

void learn_a(const Model& model, const double* observation, const double* beliefs, double rate, double retention,
             double* counts, uint64_t size);
void learn_b(const Model& model, const int32_t* action, const double* beliefs, const double* previous, double rate,
             double retention, double* counts, uint64_t size);
// Expected distribution of each column of counts; `which` is XC_AGENT_A or XC_AGENT_B. A column without counts is an
// Error that names it.
void dirichlet_mean(const Model& model, int32_t which, const double* counts, uint64_t size, double* mean);

}  // namespace xcore::agent
