#include <algorithm>
#include <cmath>

#include "agent/inference/inference.hpp"

namespace xcore::agent {

// ln A_m(o_m, column), with a soft observation weighting the logarithms.
static double log_likelihood(const Likelihood& a, const double* observation, int64_t column) {
  double sum = 0.0;
  for (int32_t o = 0; o < a.outcomes; ++o) sum += observation[o] * floored_log(a.values[o * a.columns + column]);
  return sum;
}

double infer_exact_ref(const Model& model, const double* observation, const double* prior, double* marginals) {
  int64_t joint_states = 1;
  for (int32_t n : model.states) joint_states *= n;
  std::vector<double> log_joint(joint_states);
  std::vector<std::vector<int32_t>> digits(joint_states, std::vector<int32_t>(model.factors()));
  double top = -1e300;
  for (int64_t j = 0; j < joint_states; ++j) {
    int64_t rest = j;
    for (int f = model.factors() - 1; f >= 0; --f) {
      digits[j][f] = static_cast<int32_t>(rest % model.states[f]);
      rest /= model.states[f];
    }
    double l = 0.0;
    for (int f = 0; f < model.factors(); ++f) l += floored_log(prior[model.state_offset[f] + digits[j][f]]);
    for (int m = 0; m < model.modalities(); ++m) {
      const Likelihood& a = model.likelihoods[m];
      int64_t column = 0;
      for (int32_t f : a.dependencies) column = column * model.states[f] + digits[j][f];
      l += log_likelihood(a, observation + model.outcome_offset[m], column);
    }
    log_joint[j] = l;
    top = std::max(top, l);
  }
  double total = 0.0;
  for (double l : log_joint) total += std::exp(l - top);
  std::fill_n(marginals, model.state_total, 0.0);
  for (int64_t j = 0; j < joint_states; ++j)
    for (int f = 0; f < model.factors(); ++f)
      marginals[model.state_offset[f] + digits[j][f]] += std::exp(log_joint[j] - top) / total;
  return top + std::log(total);
}

double free_energy_ref(const Model& model, const double* observation, const double* prior, const double* beliefs) {
  double f = 0.0;
  for (int64_t i = 0; i < model.state_total; ++i) f += beliefs[i] * (floored_log(beliefs[i]) - floored_log(prior[i]));
  std::vector<double> joint(model.widest);
  for (int m = 0; m < model.modalities(); ++m) {
    const Likelihood& a = model.likelihoods[m];
    joint_belief(model, a.dependencies, beliefs, joint.data());
    for (int64_t j = 0; j < a.columns; ++j)
      f -= joint[j] * log_likelihood(a, observation + model.outcome_offset[m], j);
  }
  return f;
}

}  // namespace xcore::agent
