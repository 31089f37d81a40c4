// What an agent does with the expected free energies of its policies.
#pragma once

#include "agent/efe/efe.hpp"

namespace xcore::agent {

// q(pi) = softmax(ln E - gamma G). E, the habit, may be null (uniform) and need not be normalised.
void policy_posterior(const double* expected_free_energy, const double* habit, int64_t count, double gamma,
                      double* probabilities);
// Probability of each action at the first step, concatenated over factors.
void action_marginals(const Model& model, const Policies& policies, const double* probabilities, double* marginals);

// Draw number `counter` of Philox stream (seed, stream) from a distribution that need not be normalised.
int64_t draw(const double* probabilities, int64_t count, uint64_t seed, uint64_t stream, uint64_t counter);

}  // namespace xcore::agent
