// Random models for the tests: some arrays sparse, some with several dependencies.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "agent/model.hpp"
#include "runtime/philox.hpp"

namespace xcore::agent::testing {

struct Shape {
  std::vector<int32_t> states, controls, outcomes;
  std::vector<std::vector<int32_t>> a_dependencies, b_dependencies;
  int32_t preference_steps = 1;
};

inline std::vector<double> random_distribution(Philox& random, int64_t n, double zeros = 0.0) {
  std::vector<double> p(n);
  double sum = 0.0;
  for (double& x : p) sum += x = random.next_double() < zeros ? 0.0 : -std::log(1.0 - random.next_double());
  if (sum == 0.0) sum = p[random.next_below(static_cast<uint32_t>(n))] = 1.0;
  for (double& x : p) x /= sum;
  return p;
}

// [rows][row] with each column a distribution, appended to `out`.
inline void append_columns(Philox& random, int64_t rows, int64_t row, double zeros, std::vector<double>* out) {
  const size_t base = out->size();
  out->resize(base + rows * row);
  for (int64_t j = 0; j < row; ++j) {
    const auto p = random_distribution(random, rows, zeros);
    for (int64_t i = 0; i < rows; ++i) (*out)[base + i * row + j] = p[i];
  }
}

inline Model random_model(const Shape& shape, uint64_t seed, double zeros = 0.0) {
  Philox random(seed);
  std::vector<int32_t> a_counts, a_list, b_counts, b_list;
  std::vector<double> a, b, c, d;
  for (size_t m = 0; m < shape.outcomes.size(); ++m) {
    int64_t columns = 1;
    for (int32_t f : shape.a_dependencies[m]) {
      a_list.push_back(f);
      columns *= shape.states[f];
    }
    a_counts.push_back(static_cast<int32_t>(shape.a_dependencies[m].size()));
    append_columns(random, shape.outcomes[m], columns, zeros, &a);
    for (int i = 0; i < shape.outcomes[m] * shape.preference_steps; ++i) c.push_back(random.next_normal());
  }
  for (size_t f = 0; f < shape.states.size(); ++f) {
    int64_t columns = shape.controls[f];
    for (int32_t g : shape.b_dependencies[f]) {
      b_list.push_back(g);
      columns *= shape.states[g];
    }
    b_counts.push_back(static_cast<int32_t>(shape.b_dependencies[f].size()));
    append_columns(random, shape.states[f], columns, zeros, &b);
    const auto p = random_distribution(random, shape.states[f]);
    d.insert(d.end(), p.begin(), p.end());
  }
  xc_agent_model_spec spec{};
  spec.factors = static_cast<int32_t>(shape.states.size());
  spec.modalities = static_cast<int32_t>(shape.outcomes.size());
  spec.states = shape.states.data();
  spec.controls = shape.controls.data();
  spec.outcomes = shape.outcomes.data();
  spec.a_dependency_counts = a_counts.data();
  spec.a_dependencies = a_list.data();
  spec.a_dependencies_size = a_list.size();
  spec.b_dependency_counts = b_counts.data();
  spec.b_dependencies = b_list.data();
  spec.b_dependencies_size = b_list.size();
  spec.a = a.data();
  spec.b = b.data();
  spec.c = c.data();
  spec.d = d.data();
  spec.a_size = a.size();
  spec.b_size = b.size();
  spec.c_size = c.size();
  spec.d_size = d.size();
  spec.preference_steps = shape.preference_steps;
  return Model(spec);
}

inline std::vector<double> random_beliefs(const Model& model, uint64_t seed, double zeros = 0.0) {
  Philox random(seed, 1);
  std::vector<double> out;
  for (int32_t n : model.states) {
    const auto p = random_distribution(random, n, zeros);
    out.insert(out.end(), p.begin(), p.end());
  }
  return out;
}

inline std::vector<double> random_observation(const Model& model, uint64_t seed) {
  Philox random(seed, 2);
  std::vector<double> out(model.outcome_total);
  for (int m = 0; m < model.modalities(); ++m)
    out[model.outcome_offset[m] + random.next_below(model.likelihoods[m].outcomes)] = 1.0;
  return out;
}

inline std::vector<int32_t> random_policies(const Model& model, int64_t count, int32_t steps, uint64_t seed) {
  Philox random(seed, 3);
  std::vector<int32_t> out(count * steps * model.factors());
  for (size_t i = 0; i < out.size(); ++i) out[i] = random.next_below(model.transitions[i % model.factors()].controls);
  return out;
}

inline std::vector<Shape> shapes() {
  return {
      {{4}, {3}, {4}, {{0}}, {{0}}},
      {{7}, {2}, {5, 3}, {{0}, {0}}, {{0}}, 4},
      {{3, 2}, {2, 1}, {4, 3}, {{0, 1}, {1}}, {{0}, {1}}},
      {{4, 3, 2}, {2, 3, 1}, {5, 4, 3}, {{0, 1, 2}, {1, 2}, {2}}, {{0, 1}, {1}, {2, 0}}, 2},
      {{130}, {4}, {150}, {{0}}, {{0}}},
  };
}

}  // namespace xcore::agent::testing
