// The assignment problem seen from the multipliers of its relaxation, laid out agent by agent for vector loops.
//
// With multipliers l every pair has a reduced cost r_ij = e_ij - min_i e_ij >= 0 (see entropic_dual.hpp), and a solution
// that keeps all limits costs
//
//   constant + sum_j r_{a(j), j} + sum_rows l_row * (what is left of the limit),
//
// so its distance to the bound is made of the pairs chosen against their price and of what is left unused. The energy
// of a search adds penalty * (what is above a limit) instead of the second sum where a limit is exceeded.
#pragma once

#include <cstdint>
#include <vector>

#include "thermo/assignment/model.hpp"

namespace xcore::thermo {

struct ReducedModel {
  // Stands for a forbidden pair: larger than any energy of a possible solution, and sums of it stay finite.
  static constexpr double kForbidden = 1e30;

  const AssignmentModel* model;
  std::vector<double> reduced;  // [agents x jobs], kForbidden where the pair is forbidden
  std::vector<double> use;      // [layers][agents x jobs]
  std::vector<double> limit;    // [rows], kForbidden for none
  std::vector<double> left;     // [rows] price of a unit that is left
  std::vector<double> over;     // [rows] base price of a unit above, at least `left`
  double constant = 0;
  double typical = 1;  // the median second best reduced cost, a scale of energies; above 0

  ReducedModel(const AssignmentModel& model, const std::vector<double>& multipliers);
  const double* reduced_of(int agent) const { return reduced.data() + static_cast<size_t>(agent) * model->jobs; }
  const double* use_of(int layer, int agent) const {
    return use.data() + (static_cast<size_t>(layer) * model->agents + agent) * model->jobs;
  }
};

}  // namespace xcore::thermo
