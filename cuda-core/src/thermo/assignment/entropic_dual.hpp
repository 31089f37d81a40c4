// The linear relaxation of an assignment problem, from the side of its few coupling rows.
//
// With multipliers l_r on the rows the relaxation falls apart by jobs; its dual is
//
//   D(l) = sum_j min_i e_ij - sum_r l_r limit_r,     e_ij = cost_ij + sum_s l_row(s,i) use_sij,     0 <= l <= cap,
//
// a concave function of only `rows` variables whose maximum is the linear bound. Its corners make plain ascent slow, so
// every job is given a temperature: min becomes the free energy -T ln sum_i exp(-e_ij / T), which is smooth, has the
// Boltzmann probabilities as its (fractional) solution, and the covariance of their use as its curvature. Newton steps
// follow the maximum while T falls to zero. (Entropic smoothing: S.-C. Fang, J. R. Rajasekera, H.-S. J. Tsao, "Entropy
// Optimization and Mathematical Programming", 1997; the projected step is D. Bertsekas', SIAM J. Control 20, 1982.)
// Every l gives a valid bound D(l), however far the ascent came.
#pragma once

#include <functional>
#include <vector>

#include "thermo/assignment/model.hpp"
#include "thermo/assignment/team.hpp"

namespace xcore::thermo {

struct DualSolution {
  std::vector<double> multipliers;  // [rows]
  double bound;                     // D(multipliers), not rounded
};

struct DualOptions {
  // [rows], the caps of the multipliers; empty for none. With caps D is the least of cost + cap * excess (the elastic
  // problem), finite even when no solution exists.
  std::vector<double> caps;
  bool ignore_costs = false;  // e_ij without cost_ij: what the rows alone demand
  std::vector<char> row_active;  // [rows], 0 leaves a row out; empty for all
  std::function<bool()> stop;    // polled between evaluations
};

// Needs a model whose jobs all have an allowed pair.
DualSolution entropic_dual(const AssignmentModel& model, const DualOptions& options, const Team& team);

}  // namespace xcore::thermo
