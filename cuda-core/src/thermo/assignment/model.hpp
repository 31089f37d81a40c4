// The assignment problem as the solvers see it: always a minimum, job by job, every limit one row.
//
// A pair (agent i, job j) uses `layers` rows: one a resource, row r * agents + i, and one a budget. So capacities of
// agents and budgets over all agents are the same thing to everything but the knapsacks of the Lagrangian bound.
#pragma once

#include <cstdint>
#include <vector>

#include "xcore/thermo_assignment.h"

namespace xcore::thermo {

struct AssignmentModel {
  int agents = 0, jobs = 0;
  int resources = 0, budgets = 0;
  int layers = 0;               // resources + budgets
  int rows = 0;                 // resources * agents + budgets
  std::vector<double> cost;     // [jobs x agents], minimised; +infinity where the pair is forbidden
  std::vector<double> use;      // [layers][jobs x agents], 0 where the pair is forbidden
  std::vector<double> limit;    // [rows]
  double sign = 1;              // objective of the caller = sign * cost
  double cost_unit = 0;         // all costs are multiples of it; 0 when there is no such unit
  bool hopeless_job = false;    // some job has no allowed pair

  int row(int layer, int agent) const { return layer < resources ? layer * agents + agent : resources * agents + layer - resources; }
  const double* costs_of(int job) const { return cost.data() + static_cast<size_t>(job) * agents; }
  double use_of(int layer, int job, int agent) const {
    return use[(static_cast<size_t>(layer) * jobs + job) * agents + agent];
  }
  // Rounding of sums of doubles must not decide feasibility.
  static double slack_of(double limit) { return 1e-9 * (limit > 1 ? limit : 1); }
  // The least value of an objective that is not below `bound`.
  double round_up(double bound) const;
};

// Checks everything of the caller's problem; throws xcore::Error naming the field. Pairs that do not fit alone are
// forbidden, unless `keep_misfits`.
AssignmentModel make_model(const xc_thermo_assignment& problem, bool keep_misfits = false);

struct Evaluation {
  double cost = 0;       // +infinity when a job has no agent or a forbidden one
  double violation = 0;  // sum over rows of excess / max(limit, 1); 0 when feasible
  bool feasible = false;
};
// The definition, computed afresh in job order.
Evaluation evaluate(const AssignmentModel& model, const int32_t* agent_of);

}  // namespace xcore::thermo
