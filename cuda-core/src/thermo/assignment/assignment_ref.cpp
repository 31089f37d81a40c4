#include <cmath>
#include <limits>

#include "runtime/error.hpp"
#include "thermo/assignment/assignment.hpp"
#include "thermo/assignment/model.hpp"

namespace xcore::thermo {

double solve_assignment_ref(const xc_thermo_assignment& problem, std::vector<int32_t>* agent_of) {
  const AssignmentModel m = make_model(problem);
  if (std::pow(static_cast<double>(m.agents), m.jobs) > 1e7)
    throw invalid_argument("jobs", "%d^%d assignments are too many to enumerate", m.agents, m.jobs);
  std::vector<int32_t> now(m.jobs, 0);
  double best = std::numeric_limits<double>::infinity();
  for (;;) {
    const Evaluation e = evaluate(m, now.data());
    if (e.feasible && e.cost < best) {
      best = e.cost;
      if (agent_of) *agent_of = now;
    }
    int j = 0;
    while (j < m.jobs && ++now[j] == m.agents) now[j++] = 0;
    if (j == m.jobs) return m.sign * best;
  }
}

}  // namespace xcore::thermo
