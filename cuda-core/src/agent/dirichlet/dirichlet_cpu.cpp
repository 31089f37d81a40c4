#include <cmath>

#include "agent/dirichlet/dirichlet.hpp"
#include "runtime/device.hpp"
#include "runtime/trace.hpp"

namespace xcore::agent {

namespace {

void check_counts(const double* counts, uint64_t size, int64_t expected, const char* name) {
  if (size != static_cast<uint64_t>(expected))
    throw invalid_argument(name, "%s has %llu values; the shapes of this model need %lld", name,
                           static_cast<unsigned long long>(size), static_cast<long long>(expected));
  for (int64_t i = 0; i < expected; ++i) {
    if (!(counts[i] >= 0.0) || !std::isfinite(counts[i]))
      throw invalid_argument(name, "%s has %g at flat index %lld; Dirichlet counts are finite and at least 0", name,
                             counts[i], static_cast<long long>(i));
  }
}

void check_rates(double rate, double retention) {
  if (!(rate >= 0.0) || !std::isfinite(rate)) throw invalid_argument("learningRate", "the learning rate is at least 0, not %g", rate);
  if (!(retention > 0.0 && retention <= 1.0))
    throw invalid_argument("retention", "the share of counts kept is in (0, 1], not %g", retention);
}

void normalise(const double* counts, int64_t rows, int64_t row, const std::string& field, double* mean) {
  for (int64_t j = 0; j < row; ++j) {
    double sum = 0.0;
    for (int64_t i = 0; i < rows; ++i) sum += counts[i * row + j];
    if (!(sum > 0.0) || !std::isfinite(sum))
      throw invalid_argument(field, "the Dirichlet counts of %s sum to %g in column %lld; they must be positive", field.c_str(),
                             sum, static_cast<long long>(j));
    for (int64_t i = 0; i < rows; ++i) mean[i * row + j] = counts[i * row + j] / sum;
  }
}

}  // namespace

void learn_a(const Model& model, const double* observation, const double* beliefs, double rate, double retention,
             double* counts, uint64_t size) {
  check_rates(rate, retention);
  check_observation(model, observation);
  check_beliefs(model, beliefs, "beliefs");
  check_counts(counts, size, model.a_size, "pA");
  const trace::OpTimer timer("agent.learn_a", kCpu, 2 * size * sizeof(double));
  std::vector<double> joint(model.widest);
  for (int m = 0; m < model.modalities(); ++m) {
    const Likelihood& a = model.likelihoods[m];
    joint_belief(model, a.dependencies, beliefs, joint.data());
    for (int32_t o = 0; o < a.outcomes; ++o) {
      const double weight = rate * observation[model.outcome_offset[m] + o];
      double* row = counts + a.offset + o * a.columns;
      for (int64_t j = 0; j < a.columns; ++j) {
        row[j] *= retention;
        if (a.values[o * a.columns + j] > 0.0) row[j] += weight * joint[j];
      }
    }
  }
}

void learn_b(const Model& model, const int32_t* action, const double* beliefs, const double* previous, double rate,
             double retention, double* counts, uint64_t size) {
  check_rates(rate, retention);
  check_action(model, action);
  check_beliefs(model, beliefs, "beliefs");
  check_beliefs(model, previous, "previous beliefs");
  check_counts(counts, size, model.b_size, "pB");
  const trace::OpTimer timer("agent.learn_b", kCpu, 2 * size * sizeof(double));
  std::vector<double> joint(model.widest);
  for (int f = 0; f < model.factors(); ++f) {
    const Transition& b = model.transitions[f];
    joint_belief(model, b.dependencies, previous, joint.data());
    double* p = counts + b.offset;
    const int64_t total = b.columns * b.states * b.controls;
    for (int64_t i = 0; i < total; ++i) p[i] *= retention;
    for (int32_t s = 0; s < b.states; ++s) {
      const double weight = rate * beliefs[model.state_offset[f] + s];
      for (int64_t j = 0; j < b.columns; ++j) {
        const int64_t at = (s * b.columns + j) * b.controls + action[f];
        if (b.values[at] > 0.0) p[at] += weight * joint[j];
      }
    }
  }
}

void dirichlet_mean(const Model& model, int32_t which, const double* counts, uint64_t size, double* mean) {
  if (which == XC_AGENT_A) {
    check_counts(counts, size, model.a_size, "pA");
    for (int m = 0; m < model.modalities(); ++m) {
      const Likelihood& a = model.likelihoods[m];
      normalise(counts + a.offset, a.outcomes, a.columns, "pA[" + std::to_string(m) + "]", mean + a.offset);
    }
  } else if (which == XC_AGENT_B) {
    check_counts(counts, size, model.b_size, "pB");
    for (int f = 0; f < model.factors(); ++f) {
      const Transition& b = model.transitions[f];
      normalise(counts + b.offset, b.states, b.columns * b.controls, "pB[" + std::to_string(f) + "]", mean + b.offset);
    }
  } else {
    throw invalid_argument("which", "only A and B have counts shaped like arrays of the model, not %d", which);
  }
}

}  // namespace xcore::agent
