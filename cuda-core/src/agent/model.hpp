// A generative model of discrete states, checked once and laid out for the kernels: column-major copies of A and B, so
// that a matrix times a belief is a sum of contiguous columns (vectorised without changing the order of any sum, and
// columns of probability 0 are skipped).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/error.hpp"
#include "xcore/agent.h"

namespace xcore::agent {

// ln with the floor that keeps impossible outcomes finite; the convention of the reference implementations.
inline constexpr double kLogFloor = 1e-16;
double floored_log(double x);

struct Likelihood {  // A[m]
  int32_t outcomes = 0;
  int64_t columns = 0;  // product of the states of the dependencies
  std::vector<int32_t> dependencies;
  int64_t offset = 0;           // of A[m] in the concatenation
  std::vector<double> values;   // [outcomes][columns], as given
  std::vector<double> by_column;      // [columns][outcomes]
  std::vector<double> log_by_outcome;  // [outcomes][columns], floored
  std::vector<double> column_entropy;  // [columns]
  std::vector<double> preference;      // raw C, [outcomes][steps]
  std::vector<double> log_preference;  // [steps][outcomes], log softmax over outcomes
};

struct Transition {  // B[f]
  int32_t states = 0;
  int32_t controls = 0;
  int64_t columns = 0;
  std::vector<int32_t> dependencies;
  int64_t offset = 0;
  std::vector<double> values;     // [states][columns][controls], as given
  std::vector<double> by_column;  // [controls][columns][states]
};

struct Model {
  std::vector<int32_t> states;
  std::vector<int64_t> state_offset;    // of factor f in concatenated beliefs
  std::vector<int64_t> outcome_offset;  // of modality m in concatenated observations
  std::vector<Likelihood> likelihoods;
  std::vector<Transition> transitions;
  std::vector<double> prior;  // D
  int32_t preference_steps = 1;
  int64_t state_total = 0, outcome_total = 0, a_size = 0, b_size = 0;
  int64_t widest = 1;  // most columns of any A or B

  explicit Model(const xc_agent_model_spec& spec);
  void set(int32_t which, const double* data, uint64_t size);

  int32_t factors() const { return static_cast<int32_t>(states.size()); }
  int32_t modalities() const { return static_cast<int32_t>(likelihoods.size()); }

 private:
  void set_a(const double* data, uint64_t size);
  void set_b(const double* data, uint64_t size);
  void set_c(const double* data, uint64_t size);
  void set_d(const double* data, uint64_t size);
};

// Beliefs given by a caller: finite, non-negative, each factor summing to 1 within 1e-6.
void check_beliefs(const Model& model, const double* beliefs, const char* name);
// Distributions over outcomes; all zero means unobserved.
void check_observation(const Model& model, const double* observation);
void check_policies(const Model& model, const int32_t* policies, int64_t count, int32_t steps);
void check_action(const Model& model, const int32_t* action);

// The product of the beliefs of `dependencies`, last one fastest: [columns].
void joint_belief(const Model& model, const std::vector<int32_t>& dependencies, const double* beliefs, double* joint);
// out[rows] = sum over columns of weight times column; columns: [count][rows].
void weigh_columns(const double* columns, const double* weights, int64_t count, int32_t rows, double* out);
// next = B(action) beliefs. `joint` has room for model.widest values.
void predict(const Model& model, const double* beliefs, const int32_t* action, double* next, double* joint);

}  // namespace xcore::agent
