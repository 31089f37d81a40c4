// solve_assignment: a good solution of a generalised assignment problem, and a proven bound of how good it is.
//
//   entropic_dual      the linear relaxation: multipliers of all limits, and the first bound
//   ejection_search    good solutions from nothing: penalised local search with ejection chains and path relinking
//   neighbourhood      better ones: parts of a solution re-assigned by the tree search
//   branch_bound       the Lagrangian bound, raised by tree search until it meets the solution or the time is up
//
// Work is cut into rounds. In a round one prover and a fixed number of searchers work side by side on what the rounds
// before left; then they share what they found. So a limit of rounds gives the same result on any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/control.hpp"
#include "xcore/thermo_assignment.h"

namespace xcore::thermo {

// agent_of [jobs]: -1 for a job without any possible agent. Throws xcore::Error for a problem or options that are wrong.
void solve_assignment(const xc_thermo_assignment& problem, const xc_thermo_assignment_options& options, int32_t* agent_of,
                      xc_thermo_assignment_result* result, const Control& control);

// Every assignment, one after the other; for tests, agents^jobs at most 10^7. Returns the best objective, or the bad
// infinity when there is no solution.
double solve_assignment_ref(const xc_thermo_assignment& problem, std::vector<int32_t>* agent_of = nullptr);

// Which limits no (even fractional) assignment can keep together: `conflict` [resources * agents + budgets] gets 1 for
// the rows of an irreducible set of them, all 0 when the relaxation has a solution. With that set any one row fewer can
// be kept. A job without any possible agent is a mistake of the caller here.
void assignment_conflict(const xc_thermo_assignment& problem, uint8_t* conflict, const Control& control);

}  // namespace xcore::thermo
