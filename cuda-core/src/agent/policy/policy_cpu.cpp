#include <algorithm>
#include <cmath>
#include <numeric>

#include "agent/policy/policy.hpp"
#include "runtime/device.hpp"
#include "runtime/philox.hpp"
#include "runtime/trace.hpp"

namespace xcore::agent {

void policy_posterior(const double* expected_free_energy, const double* habit, int64_t count, double gamma,
                      double* probabilities) {
  if (count < 1) throw invalid_argument("policies", "there must be at least one policy");
  if (!(gamma >= 0.0) || !std::isfinite(gamma))
    throw invalid_argument("gamma", "the precision gamma is finite and at least 0, not %g", gamma);
  const trace::OpTimer timer("agent.policy_posterior", kCpu, count * 2 * sizeof(double));
  double top = -HUGE_VAL;
  for (int64_t p = 0; p < count; ++p) {
    if (!std::isfinite(expected_free_energy[p]))
      throw invalid_argument("expectedFreeEnergy", "policy %lld has an expected free energy of %g",
                             static_cast<long long>(p), expected_free_energy[p]);
    if (habit && !(habit[p] >= 0.0 && std::isfinite(habit[p])))
      throw invalid_argument("E[" + std::to_string(p) + "]", "the habit of policy %lld is %g; habits are finite and at least 0",
                             static_cast<long long>(p), habit[p]);
    probabilities[p] = (habit ? std::log(habit[p]) : 0.0) - gamma * expected_free_energy[p];
    top = std::max(top, probabilities[p]);
  }
  if (!std::isfinite(top)) throw invalid_argument("E", "the habit gives every policy probability 0");
  for (int64_t p = 0; p < count; ++p) probabilities[p] = std::exp(probabilities[p] - top);
  const double sum = std::accumulate(probabilities, probabilities + count, 0.0);
  for (int64_t p = 0; p < count; ++p) probabilities[p] /= sum;
}

void action_marginals(const Model& model, const Policies& policies, const double* probabilities, double* marginals) {
  check_policies(model, policies.actions, policies.count, policies.steps);
  std::vector<int64_t> offset;
  int64_t total = 0;
  for (const Transition& b : model.transitions) {
    offset.push_back(total);
    total += b.controls;
  }
  std::fill_n(marginals, total, 0.0);
  for (int64_t p = 0; p < policies.count; ++p) {
    const int32_t* first = policies.actions + p * policies.steps * model.factors();
    for (int f = 0; f < model.factors(); ++f) marginals[offset[f] + first[f]] += probabilities[p];
  }
}

int64_t draw(const double* probabilities, int64_t count, uint64_t seed, uint64_t stream, uint64_t counter) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    if (!(probabilities[i] >= 0.0)) throw invalid_argument("probabilities", "probability %lld is %g", static_cast<long long>(i), probabilities[i]);
    sum += probabilities[i];
  }
  if (!(sum > 0.0) || !std::isfinite(sum)) throw invalid_argument("probabilities", "the probabilities sum to %g", sum);
  const double target = Philox(seed, stream, 2 * counter).next_double() * sum;  // two words a draw
  double reached = 0.0;
  int64_t last = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (probabilities[i] == 0.0) continue;
    reached += probabilities[i];
    last = i;
    if (target < reached) break;
  }
  return last;
}

}  // namespace xcore::agent
