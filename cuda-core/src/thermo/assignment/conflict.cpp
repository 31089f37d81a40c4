// Farkas' lemma by the elastic problem: the least total excess over the limits, in shares of each limit, is the maximum
// of the dual with multipliers capped; it is above 0 exactly when the limits cannot be kept together. A row is dropped
// for good when the rest is still impossible without it; what stays is irreducible (J. Chinneck, E. Dravnieks,
// "Locating minimal infeasible constraint sets in linear programs", ORSA J. Computing 3, 1991).
#include <algorithm>
#include <cmath>

#include "thermo/assignment/assignment.hpp"
#include "thermo/assignment/entropic_dual.hpp"

namespace xcore::thermo {

void assignment_conflict(const xc_thermo_assignment& problem, uint8_t* conflict, const Control& control) {
  const AssignmentModel m = make_model(problem, true);
  if (m.hopeless_job) throw invalid_argument("allowed", "some job has no agent at all that may take it");
  const Team team(0);
  DualOptions options;
  options.ignore_costs = true;
  options.stop = [&] { return control.cancelled(); };
  options.caps.resize(m.rows);
  for (int r = 0; r < m.rows; ++r) options.caps[r] = std::isinf(m.limit[r]) ? 0 : 1 / std::max(m.limit[r], 1.0);
  options.row_active.assign(m.rows, 1);
  std::vector<double> multipliers;
  const auto impossible = [&] {
    const DualSolution s = entropic_dual(m, options, team);
    control.throw_if_cancelled();
    multipliers = s.multipliers;
    return s.bound > 1e-7;
  };
  std::fill_n(conflict, m.rows, uint8_t{0});
  if (!impossible()) return;
  // Rows without a multiplier took no part in the proof.
  const auto keep_support = [&] {
    for (int r = 0; r < m.rows; ++r)
      if (!(multipliers[r] > 1e-9 * options.caps[r])) options.row_active[r] = 0;
  };
  const std::vector<char> all = options.row_active;
  keep_support();
  if (!impossible()) options.row_active = all;
  for (int r = 0; r < m.rows; ++r) {
    if (!options.row_active[r]) continue;
    options.row_active[r] = 0;
    if (!impossible()) options.row_active[r] = 1;
  }
  for (int r = 0; r < m.rows; ++r) conflict[r] = options.row_active[r];
}

}  // namespace xcore::thermo
