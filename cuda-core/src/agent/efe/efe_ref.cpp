#include <algorithm>
#include <cmath>

#include "agent/efe/efe.hpp"

namespace xcore::agent {

static double entropy_term(double p) { return p > 0.0 ? -p * std::log(p) : 0.0; }

void efe_ref(const Model& model, const double* beliefs, const Policies& policies, double* utility, double* information_gain) {
  std::vector<double> joint(model.widest);
  for (int64_t p = 0; p < policies.count; ++p) {
    utility[p] = information_gain[p] = 0.0;
    std::vector<double> q(beliefs, beliefs + model.state_total), next(model.state_total);
    for (int32_t t = 0; t < policies.steps; ++t) {
      for (int f = 0; f < model.factors(); ++f) {
        const Transition& b = model.transitions[f];
        const int32_t u = policies.actions[(p * policies.steps + t) * model.factors() + f];
        joint_belief(model, b.dependencies, q.data(), joint.data());
        for (int32_t s = 0; s < b.states; ++s) {
          double sum = 0.0;
          for (int64_t j = 0; j < b.columns; ++j) sum += b.values[(s * b.columns + j) * b.controls + u] * joint[j];
          next[model.state_offset[f] + s] = sum;
        }
      }
      q.swap(next);
      for (const Likelihood& a : model.likelihoods) {
        joint_belief(model, a.dependencies, q.data(), joint.data());
        const double* log_preference = a.log_preference.data() + std::min(t, model.preference_steps - 1) * a.outcomes;
        for (int32_t o = 0; o < a.outcomes; ++o) {
          double predicted = 0.0, ambiguity = 0.0;
          for (int64_t j = 0; j < a.columns; ++j) {
            predicted += a.values[o * a.columns + j] * joint[j];
            ambiguity += joint[j] * entropy_term(a.values[o * a.columns + j]);
          }
          utility[p] += predicted * log_preference[o];
          information_gain[p] += entropy_term(predicted) - ambiguity;
        }
      }
    }
  }
}

}  // namespace xcore::agent
