#include <algorithm>
#include <cmath>

#include "agent/inference/inference.hpp"
#include "runtime/device.hpp"
#include "runtime/trace.hpp"

namespace xcore::agent {

namespace {

// E over all dependencies but number `keep`: [states of that factor]. `work` holds the columns and is overwritten.
void expect_out(const Model& model, const Likelihood& a, const double* beliefs, size_t keep, double* work, double* out) {
  int64_t size = a.columns;
  for (size_t k = a.dependencies.size() - 1; k > keep; --k) {
    const int32_t n = model.states[a.dependencies[k]];
    const double* q = beliefs + model.state_offset[a.dependencies[k]];
    size /= n;
    for (int64_t i = 0; i < size; ++i) {
      double sum = 0.0;
      for (int32_t s = 0; s < n; ++s) sum += q[s] * work[i * n + s];
      work[i] = sum;
    }
  }
  for (size_t k = 0; k < keep; ++k) {
    const int32_t n = model.states[a.dependencies[k]];
    const double* q = beliefs + model.state_offset[a.dependencies[k]];
    size /= n;
    for (int64_t i = 0; i < size; ++i) {
      double sum = 0.0;
      for (int32_t s = 0; s < n; ++s) sum += q[s] * work[s * size + i];
      work[i] = sum;
    }
  }
  for (int64_t i = 0; i < size; ++i) out[i] += work[i];
}

void softmax(const double* logits, int32_t n, double* out) {
  const double top = *std::max_element(logits, logits + n);
  double sum = 0.0;
  for (int32_t i = 0; i < n; ++i) sum += out[i] = std::exp(logits[i] - top);
  for (int32_t i = 0; i < n; ++i) out[i] /= sum;
}

struct Sweeper {
  const Model& model;
  const double* prior;
  std::vector<std::vector<double>> log_likelihood;  // [modality][columns]
  std::vector<double> log_prior, work, expected;

  Sweeper(const Model& m, const double* observation, const double* p)
      : model(m), prior(p), log_prior(m.state_total), work(m.widest), expected(m.state_total) {
    for (int64_t i = 0; i < m.state_total; ++i) log_prior[i] = floored_log(p[i]);
    log_likelihood.resize(m.modalities());
    for (int i = 0; i < m.modalities(); ++i) {
      const Likelihood& a = m.likelihoods[i];
      const double* o = observation + m.outcome_offset[i];
      log_likelihood[i].assign(a.columns, 0.0);
      for (int32_t k = 0; k < a.outcomes; ++k) {
        if (o[k] == 0.0) continue;
        const double* row = a.log_by_outcome.data() + k * a.columns;
        for (int64_t j = 0; j < a.columns; ++j) log_likelihood[i][j] += o[k] * row[j];
      }
    }
  }

  void update(int32_t factor, double* beliefs) {
    double* e = expected.data() + model.state_offset[factor];
    std::copy_n(log_prior.data() + model.state_offset[factor], model.states[factor], e);
    for (int m = 0; m < model.modalities(); ++m) {
      const Likelihood& a = model.likelihoods[m];
      const auto at = std::find(a.dependencies.begin(), a.dependencies.end(), factor);
      if (at == a.dependencies.end()) continue;
      std::copy(log_likelihood[m].begin(), log_likelihood[m].end(), work.begin());
      expect_out(model, a, beliefs, at - a.dependencies.begin(), work.data(), e);
    }
    softmax(e, model.states[factor], beliefs + model.state_offset[factor]);
  }

  void free_energy(const double* beliefs, xc_agent_free_energy* out) {
    double complexity = 0.0, accuracy = 0.0;
    for (int64_t i = 0; i < model.state_total; ++i) complexity += beliefs[i] * (floored_log(beliefs[i]) - log_prior[i]);
    for (int m = 0; m < model.modalities(); ++m) {
      const Likelihood& a = model.likelihoods[m];
      const int32_t first = a.dependencies[0];
      std::copy(log_likelihood[m].begin(), log_likelihood[m].end(), work.begin());
      std::fill_n(expected.begin(), model.states[first], 0.0);
      expect_out(model, a, beliefs, 0, work.data(), expected.data());
      for (int32_t s = 0; s < model.states[first]; ++s) accuracy += beliefs[model.state_offset[first] + s] * expected[s];
    }
    out->complexity = complexity;
    out->accuracy = accuracy;
    out->free_energy = complexity - accuracy;
  }
};

// An observation that the model calls impossible would be "explained" by the floor of the logarithm alone.
void check_possible(const Model& model, const double* observation, const double* prior, double* joint) {
  std::vector<char> possible(model.factors() == 1 ? model.states[0] : 0, 1);
  for (int m = 0; m < model.modalities(); ++m) {
    const Likelihood& a = model.likelihoods[m];
    const double* o = observation + model.outcome_offset[m];
    if (std::all_of(o, o + a.outcomes, [](double p) { return p == 0.0; })) continue;
    joint_belief(model, a.dependencies, prior, joint);
    bool any = false;
    for (int64_t j = 0; j < a.columns; ++j) {
      double p = 0.0;
      for (int32_t k = 0; k < a.outcomes; ++k) p += o[k] * a.by_column[j * a.outcomes + k];
      const bool here = p > 0.0 && joint[j] > 0.0;
      if (!possible.empty() && !here) possible[j] = 0;
      any = any || here;
    }
    if (!any)
      throw invalid_argument("observation[" + std::to_string(m) + "]",
                             "the observation of modality %d has probability 0 under the current beliefs and A[%d]; give "
                             "A or the prior some probability where it can happen",
                             m, m);
  }
  if (!possible.empty() && std::none_of(possible.begin(), possible.end(), [](char p) { return p != 0; }))
    throw invalid_argument("observation", "no state of the model can produce this observation in all modalities at once");
}

}  // namespace

xc_agent_free_energy infer_cpu(const Model& model, const double* observation, const double* prior,
                               const InferenceOptions& options, double* beliefs, std::vector<double>* history) {
  if (options.max_sweeps < 1) throw invalid_argument("iterations", "at least one sweep is needed, not %d", options.max_sweeps);
  if (!(options.tolerance >= 0.0)) throw invalid_argument("tolerance", "the tolerance is at least 0, not %g", options.tolerance);
  check_observation(model, observation);
  check_beliefs(model, prior, "prior");
  const trace::OpTimer timer("agent.infer", kCpu, (model.a_size + 2 * model.state_total) * sizeof(double));
  Sweeper sweeper(model, observation, prior);
  check_possible(model, observation, prior, sweeper.work.data());
  for (int f = 0; f < model.factors(); ++f)
    std::fill_n(beliefs + model.state_offset[f], model.states[f], 1.0 / model.states[f]);
  xc_agent_free_energy out{};
  sweeper.free_energy(beliefs, &out);
  if (history) history->assign(1, out.free_energy);
  const int32_t sweeps = model.factors() == 1 ? 1 : options.max_sweeps;
  while (out.sweeps < sweeps && !out.converged) {
    const double before = out.free_energy;
    for (int f = 0; f < model.factors(); ++f) sweeper.update(f, beliefs);
    sweeper.free_energy(beliefs, &out);
    ++out.sweeps;
    out.converged = model.factors() == 1 || before - out.free_energy <= options.tolerance;
    if (history) history->push_back(out.free_energy);
  }
  return out;
}

}  // namespace xcore::agent
