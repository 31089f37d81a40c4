#include "agent/model.hpp"

#include <algorithm>
#include <cmath>

namespace xcore::agent {

namespace {

constexpr double kSumTolerance = 1e-6;
constexpr int64_t kMaxElements = int64_t{1} << 28;  // 2 GiB of doubles in one array

std::string indexed(const char* name, int64_t i) { return std::string(name) + "[" + std::to_string(i) + "]"; }

void check_probability(double p, const std::string& field, int64_t at) {
  if (!(p >= 0.0) || !std::isfinite(p))
    throw invalid_argument(field, "%s has %g at flat index %lld; probabilities are finite and at least 0", field.c_str(),
                           p, static_cast<long long>(at));
}

void check_sum(double sum, const std::string& field, const std::string& where) {
  if (std::fabs(sum - 1.0) > kSumTolerance)
    throw invalid_argument(field, "%s sums to %.9g in %s; it must sum to 1 (within 1e-6)", field.c_str(), sum,
                           where.c_str());
}

void check_size(uint64_t size, int64_t expected, const char* name) {
  if (size != static_cast<uint64_t>(expected))
    throw invalid_argument(name, "%s has %llu values; the shapes of this model need %lld", name,
                           static_cast<unsigned long long>(size), static_cast<long long>(expected));
}

int32_t positive(const int32_t* values, int i, const char* name) {
  if (values[i] < 1 || values[i] > (1 << 20))
    throw invalid_argument(indexed(name, i), "%s[%d] is %d; it must be in 1..1048576", name, i, values[i]);
  return values[i];
}

// Reads the dependencies of one array and returns the number of its columns.
int64_t read_dependencies(const std::vector<int32_t>& states, const int32_t* list, int32_t count, int64_t rows,
                          const std::string& field, std::vector<int32_t>* out) {
  int64_t columns = 1;
  for (int32_t k = 0; k < count; ++k) {
    const int32_t f = list[k];
    if (f < 0 || f >= static_cast<int32_t>(states.size()))
      throw invalid_argument(field, "%s depends on factor %d; the model has factors 0..%zu", field.c_str(), f,
                             states.size() - 1);
    if (std::find(out->begin(), out->end(), f) != out->end())
      throw invalid_argument(field, "%s names factor %d twice among its dependencies", field.c_str(), f);
    out->push_back(f);
    columns *= states[f];
    if (columns * rows > kMaxElements)
      throw error(XC_LIMIT_EXCEEDED, field, -1, "%s would hold more than %lld values; give it fewer dependencies",
                  field.c_str(), static_cast<long long>(kMaxElements));
  }
  return columns;
}

// Cuts `data` (checked size) into distributions, one a factor.
void check_distributions(const Model& model, const double* data, const char* name) {
  for (int32_t f = 0; f < model.factors(); ++f) {
    double sum = 0.0;
    const std::string field = indexed(name, f);
    for (int32_t s = 0; s < model.states[f]; ++s) {
      const double p = data[model.state_offset[f] + s];
      check_probability(p, field, s);
      sum += p;
    }
    check_sum(sum, field, "its only column");
  }
}

}  // namespace

double floored_log(double x) { return std::log(x + kLogFloor); }

Model::Model(const xc_agent_model_spec& spec) {
  if (spec.factors < 1 || spec.factors > 32)
    throw invalid_argument("factors", "a model has 1 to 32 hidden state factors, not %d", spec.factors);
  if (spec.modalities < 1 || spec.modalities > 256)
    throw invalid_argument("modalities", "a model has 1 to 256 observation modalities, not %d", spec.modalities);
  if (spec.preference_steps < 1 || spec.preference_steps > 100000)
    throw invalid_argument("C", "preferences cover 1 to 100000 steps, not %d", spec.preference_steps);
  preference_steps = spec.preference_steps;
  for (int f = 0; f < spec.factors; ++f) {
    state_offset.push_back(state_total);
    states.push_back(positive(spec.states, f, "states"));
    state_total += states.back();
  }
  uint64_t used = 0;
  for (int m = 0; m < spec.modalities; ++m) {
    Likelihood a;
    a.outcomes = positive(spec.outcomes, m, "outcomes");
    const int32_t count = spec.a_dependency_counts[m];
    if (count < 1 || used + count > spec.a_dependencies_size)
      throw invalid_argument(indexed("A", m), "A[%d] must depend on at least one factor", m);
    a.columns = read_dependencies(states, spec.a_dependencies + used, count, a.outcomes, indexed("A", m), &a.dependencies);
    used += count;
    a.offset = a_size;
    a_size += a.columns * a.outcomes;
    widest = std::max(widest, a.columns);
    outcome_offset.push_back(outcome_total);
    outcome_total += a.outcomes;
    likelihoods.push_back(std::move(a));
  }
  used = 0;
  for (int f = 0; f < spec.factors; ++f) {
    Transition b;
    b.states = states[f];
    b.controls = positive(spec.controls, f, "controls");
    const int32_t count = spec.b_dependency_counts[f];
    if (count < 1 || used + count > spec.b_dependencies_size)
      throw invalid_argument(indexed("B", f), "B[%d] must depend on at least one factor", f);
    b.columns = read_dependencies(states, spec.b_dependencies + used, count, int64_t{b.states} * b.controls,
                                  indexed("B", f), &b.dependencies);
    used += count;
    b.offset = b_size;
    b_size += b.columns * b.states * b.controls;
    widest = std::max(widest, b.columns);
    transitions.push_back(std::move(b));
  }
  set_a(spec.a, spec.a_size);
  set_b(spec.b, spec.b_size);
  set_c(spec.c, spec.c_size);
  set_d(spec.d, spec.d_size);
}

void Model::set(int32_t which, const double* data, uint64_t size) {
  switch (which) {
    case XC_AGENT_A: return set_a(data, size);
    case XC_AGENT_B: return set_b(data, size);
    case XC_AGENT_C: return set_c(data, size);
    case XC_AGENT_D: return set_d(data, size);
    default: throw invalid_argument("which", "%d names none of A, B, C, D", which);
  }
}

// Every setter checks all of its input before it changes anything.
void Model::set_a(const double* data, uint64_t size) {
  check_size(size, a_size, "A");
  for (int m = 0; m < modalities(); ++m) {
    const Likelihood& a = likelihoods[m];
    const std::string field = indexed("A", m);
    for (int64_t j = 0; j < a.columns; ++j) {
      double sum = 0.0;
      for (int32_t o = 0; o < a.outcomes; ++o) {
        const int64_t at = o * a.columns + j;
        check_probability(data[a.offset + at], field, at);
        sum += data[a.offset + at];
      }
      check_sum(sum, field, "column " + std::to_string(j));
    }
  }
  for (Likelihood& a : likelihoods) {
    const int64_t count = a.columns * a.outcomes;
    a.values.assign(data + a.offset, data + a.offset + count);
    a.by_column.resize(count);
    a.log_by_outcome.resize(count);
    a.column_entropy.assign(a.columns, 0.0);
    for (int32_t o = 0; o < a.outcomes; ++o) {
      for (int64_t j = 0; j < a.columns; ++j) {
        const double p = a.values[o * a.columns + j];
        a.by_column[j * a.outcomes + o] = p;
        a.log_by_outcome[o * a.columns + j] = floored_log(p);
        if (p > 0.0) a.column_entropy[j] -= p * std::log(p);
      }
    }
  }
}

void Model::set_b(const double* data, uint64_t size) {
  check_size(size, b_size, "B");
  for (int f = 0; f < factors(); ++f) {
    const Transition& b = transitions[f];
    const std::string field = indexed("B", f);
    const int64_t row = b.columns * b.controls;
    for (int64_t j = 0; j < row; ++j) {
      double sum = 0.0;
      for (int32_t s = 0; s < b.states; ++s) {
        check_probability(data[b.offset + s * row + j], field, s * row + j);
        sum += data[b.offset + s * row + j];
      }
      check_sum(sum, field, "column " + std::to_string(j / b.controls) + " of action " + std::to_string(j % b.controls));
    }
  }
  for (Transition& b : transitions) {
    const int64_t row = b.columns * b.controls;
    b.values.assign(data + b.offset, data + b.offset + row * b.states);
    b.by_column.resize(row * b.states);
    for (int32_t s = 0; s < b.states; ++s)
      for (int64_t j = 0; j < b.columns; ++j)
        for (int32_t u = 0; u < b.controls; ++u)
          b.by_column[(u * b.columns + j) * b.states + s] = b.values[s * row + j * b.controls + u];
  }
}

void Model::set_c(const double* data, uint64_t size) {
  check_size(size, outcome_total * preference_steps, "C");
  for (int m = 0; m < modalities(); ++m) {
    const int64_t count = int64_t{likelihoods[m].outcomes} * preference_steps;
    for (int64_t i = 0; i < count; ++i) {
      const double value = data[outcome_offset[m] * preference_steps + i];
      if (!std::isfinite(value))
        throw invalid_argument(indexed("C", m), "C[%d] has %g at flat index %lld; log preferences are finite", m, value,
                               static_cast<long long>(i));
    }
  }
  for (int m = 0; m < modalities(); ++m) {
    Likelihood& a = likelihoods[m];
    const double* c = data + outcome_offset[m] * preference_steps;
    a.preference.assign(c, c + int64_t{a.outcomes} * preference_steps);
    a.log_preference.resize(a.preference.size());
    for (int32_t t = 0; t < preference_steps; ++t) {
      double top = c[t], sum = 0.0;
      for (int32_t o = 1; o < a.outcomes; ++o) top = std::max(top, c[o * preference_steps + t]);
      for (int32_t o = 0; o < a.outcomes; ++o) sum += std::exp(c[o * preference_steps + t] - top);
      for (int32_t o = 0; o < a.outcomes; ++o)
        a.log_preference[t * a.outcomes + o] = floored_log(std::exp(c[o * preference_steps + t] - top) / sum);
    }
  }
}

void Model::set_d(const double* data, uint64_t size) {
  check_size(size, state_total, "D");
  check_distributions(*this, data, "D");
  prior.assign(data, data + size);
}

void check_beliefs(const Model& model, const double* beliefs, const char* name) {
  check_distributions(model, beliefs, name);
}

void check_observation(const Model& model, const double* observation) {
  for (int m = 0; m < model.modalities(); ++m) {
    const std::string field = indexed("observation", m);
    double sum = 0.0;
    for (int32_t o = 0; o < model.likelihoods[m].outcomes; ++o) {
      check_probability(observation[model.outcome_offset[m] + o], field, o);
      sum += observation[model.outcome_offset[m] + o];
    }
    if (sum != 0.0) check_sum(sum, field, "its distribution over outcomes");
  }
}

void check_action(const Model& model, const int32_t* action) {
  for (int f = 0; f < model.factors(); ++f) {
    if (action[f] < 0 || action[f] >= model.transitions[f].controls)
      throw invalid_argument(indexed("action", f), "action %d of factor %d does not exist; it has actions 0..%d",
                             action[f], f, model.transitions[f].controls - 1);
  }
}

void check_policies(const Model& model, const int32_t* policies, int64_t count, int32_t steps) {
  if (count < 1) throw invalid_argument("policies", "there must be at least one policy");
  if (steps < 1) throw invalid_argument("policies", "a policy has at least one step");
  const int32_t factors = model.factors();
  for (int64_t i = 0; i < count * steps * factors; ++i) {
    const int32_t f = static_cast<int32_t>(i % factors);
    if (policies[i] < 0 || policies[i] >= model.transitions[f].controls)
      throw invalid_argument("policies", "policy %lld, step %lld, factor %d is action %d; that factor has actions 0..%d",
                             static_cast<long long>(i / factors / steps), static_cast<long long>(i / factors % steps), f,
                             policies[i], model.transitions[f].controls - 1);
  }
}

void joint_belief(const Model& model, const std::vector<int32_t>& dependencies, const double* beliefs, double* joint) {
  int64_t size = model.states[dependencies[0]];
  std::copy_n(beliefs + model.state_offset[dependencies[0]], size, joint);
  for (size_t k = 1; k < dependencies.size(); ++k) {
    const int32_t n = model.states[dependencies[k]];
    const double* q = beliefs + model.state_offset[dependencies[k]];
    for (int64_t i = size - 1; i >= 0; --i) {  // from the end, so that it can be done in place
      const double p = joint[i];
      for (int32_t s = n - 1; s >= 0; --s) joint[i * n + s] = p * q[s];
    }
    size *= n;
  }
}

void weigh_columns(const double* columns, const double* weights, int64_t count, int32_t rows, double* out) {
  double* __restrict sums = out;  // never one of the inputs; without the promise the loop is not vectorised
  std::fill_n(sums, rows, 0.0);
  for (int64_t j = 0; j < count; ++j, columns += rows) {
    const double w = weights[j];
    if (w == 0.0) continue;
    for (int32_t i = 0; i < rows; ++i) sums[i] += w * columns[i];
  }
}

void predict(const Model& model, const double* beliefs, const int32_t* action, double* next, double* joint) {
  for (int f = 0; f < model.factors(); ++f) {
    const Transition& b = model.transitions[f];
    const double* weights = beliefs + model.state_offset[b.dependencies[0]];
    if (b.dependencies.size() > 1) {
      joint_belief(model, b.dependencies, beliefs, joint);
      weights = joint;
    }
    double* out = next + model.state_offset[f];
    weigh_columns(b.by_column.data() + int64_t{action[f]} * b.columns * b.states, weights, b.columns, b.states, out);
  }
}

}  // namespace xcore::agent
