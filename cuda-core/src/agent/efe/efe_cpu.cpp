#include <algorithm>
#include <atomic>
#include <cmath>

#include "agent/efe/efe.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "runtime/trace.hpp"

namespace xcore::agent {

namespace {

struct Step {
  double utility = 0.0;
  double information_gain = 0.0;
};

class Evaluator {
 public:
  explicit Evaluator(const Model& model) : model_(model), joint_(model.widest) {
    int32_t outcomes = 0;
    for (const Likelihood& a : model.likelihoods) outcomes = std::max(outcomes, a.outcomes);
    predicted_.resize(outcomes);
  }

  void advance(const double* beliefs, const int32_t* action, double* next) {
    predict(model_, beliefs, action, next, joint_.data());
  }

  Step value(const double* q, int32_t t) {
    Step out;
    const int32_t preference_step = std::min(t, model_.preference_steps - 1);
    for (const Likelihood& a : model_.likelihoods) {
      const double* weights = q + model_.state_offset[a.dependencies[0]];
      if (a.dependencies.size() > 1) {
        joint_belief(model_, a.dependencies, q, joint_.data());
        weights = joint_.data();
      }
      weigh_columns(a.by_column.data(), weights, a.columns, a.outcomes, predicted_.data());
      double ambiguity = 0.0;
      for (int64_t j = 0; j < a.columns; ++j) ambiguity += weights[j] * a.column_entropy[j];
      const double* log_preference = a.log_preference.data() + preference_step * a.outcomes;
      double entropy = 0.0;
      for (int32_t o = 0; o < a.outcomes; ++o) {
        const double p = predicted_[o];
        out.utility += p * log_preference[o];
        if (p > 0.0) entropy -= p * std::log(p);
      }
      out.information_gain += entropy - ambiguity;
    }
    return out;
  }

 private:
  const Model& model_;
  std::vector<double> joint_, predicted_;
};

}  // namespace

double efe_work(const Model& model, const Policies& policies) {
  double step = static_cast<double>(model.a_size);
  for (const Transition& b : model.transitions) step += static_cast<double>(b.columns) * b.states;
  return step * policies.steps * static_cast<double>(policies.count);
}

void efe_cpu(const Model& model, const double* beliefs, const Policies& policies, double* utility, double* information_gain,
             const Control& control) {
  const trace::OpTimer timer("agent.efe", kCpu, (model.a_size + model.b_size) * sizeof(double));
  const double work_each = efe_work(model, policies) / static_cast<double>(policies.count);
  // A chunk is worth waking a thread for (about 0.1 ms), and short enough to notice a cancellation.
  const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>(200000.0 / work_each));
  const int64_t width = int64_t{policies.steps} * model.factors();
  std::atomic<bool> cancelled{false};
  thread_pool().parallel_for(policies.count, grain, [&](int64_t begin, int64_t end) {
    Evaluator evaluator(model);
    // After t steps of the current policy: its beliefs and the sums so far. Policies that begin alike reuse them.
    std::vector<double> path((policies.steps + 1) * model.state_total);
    std::vector<Step> sums(policies.steps + 1);
    std::copy_n(beliefs, model.state_total, path.data());
    for (int64_t p = begin; p < end; ++p) {
      if (control.cancelled()) cancelled = true;
      if (cancelled) return;
      const int32_t* actions = policies.actions + p * width;
      int32_t t = 0;
      if (p > begin) {
        while (t < policies.steps &&
               std::equal(actions + t * model.factors(), actions + (t + 1) * model.factors(), actions - width + t * model.factors()))
          ++t;
      }
      for (; t < policies.steps; ++t) {
        double* q = path.data() + (t + 1) * model.state_total;
        evaluator.advance(q - model.state_total, actions + t * model.factors(), q);
        const Step step = evaluator.value(q, t);
        sums[t + 1] = {sums[t].utility + step.utility, sums[t].information_gain + step.information_gain};
      }
      utility[p] = sums[policies.steps].utility;
      information_gain[p] = sums[policies.steps].information_gain;
    }
  });
  if (cancelled) control.throw_if_cancelled();
}

}  // namespace xcore::agent
