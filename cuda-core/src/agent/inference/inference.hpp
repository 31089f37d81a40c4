// Beliefs about the hidden states from one observation.
//
// Minimises the variational free energy F = sum_f KL(q_f || prior_f) - sum_m E_q[ln A_m(o_m, .)] by coordinate ascent:
// ln q_f = ln prior_f + sum_m E_{q without f}[ln A_m(o_m, .)], one factor after another, so F never rises (updating all
// factors at once, as pymdp does, may oscillate). With one factor this is Bayes' rule and F = -ln p(o). Soft
// observations weight ln A by their distribution. ln x means ln(x + 1e-16).
//
// Friston, Parr, de Vries (2017), "The graphical brain: belief propagation and active inference", Network Neuroscience.
#pragma once

#include <vector>

#include "agent/model.hpp"

namespace xcore::agent {

struct InferenceOptions {
  int32_t max_sweeps = 64;
  double tolerance = 1e-12;  // nats a sweep must gain to go on
};

// `beliefs` and `prior`: concatenated over factors. `history`, when given, receives F at the start and after each sweep.
// An observation of probability 0 under the prior is an Error that names its modality.
xc_agent_free_energy infer_cpu(const Model& model, const double* observation, const double* prior,
                               const InferenceOptions& options, double* beliefs, std::vector<double>* history = nullptr);

// The exact posterior marginals by summing over all joint states: the definition, for models of few states.
// Returns ln p(o).
double infer_exact_ref(const Model& model, const double* observation, const double* prior, double* marginals);
// F of any beliefs, by summing over all joint states of each modality's dependencies.
double free_energy_ref(const Model& model, const double* observation, const double* prior, const double* beliefs);

}  // namespace xcore::agent
