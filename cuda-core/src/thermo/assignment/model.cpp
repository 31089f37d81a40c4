#include "thermo/assignment/model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/error.hpp"

namespace xcore::thermo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = 1e12;

// The largest unit of which all costs are multiples: their greatest common divisor when all are integers.
double common_unit(const std::vector<double>& cost) {
  int64_t unit = 0;
  for (const double c : cost) {
    if (std::isinf(c)) continue;
    if (c != std::floor(c)) return 0;
    int64_t a = unit, b = std::llabs(static_cast<int64_t>(c));
    while (b) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
    }
    unit = a;
  }
  return unit ? static_cast<double>(unit) : 1;
}

void check_range(const double* values, size_t count, double least, double most, bool infinity, const char* field) {
  for (size_t i = 0; i < count; ++i) {
    const double v = values[i];
    if ((v >= least && v <= most) || (infinity && v == kInfinity)) continue;
    throw invalid_argument(field, "%s[%zu] is %g; it must be from %g to %g%s", field, i, v, least, most,
                           infinity ? ", or +infinity for no limit" : "");
  }
}

}  // namespace

AssignmentModel make_model(const xc_thermo_assignment& p, bool keep_misfits) {
  if (p.sense != XC_THERMO_MINIMISE && p.sense != XC_THERMO_MAXIMISE)
    throw invalid_argument("sense", "sense is %d; it must be 0 (minimise) or 1 (maximise)", p.sense);
  if (p.agents < 1 || p.agents > (1 << 20)) throw invalid_argument("agents", "agents is %d; 1 to 2^20 are possible", p.agents);
  if (p.jobs < 1 || p.jobs > (1 << 20)) throw invalid_argument("jobs", "jobs is %d; 1 to 2^20 are possible", p.jobs);
  const size_t pairs = static_cast<size_t>(p.agents) * static_cast<size_t>(p.jobs);
  if (pairs > (size_t{1} << 27))
    throw error(XC_LIMIT_EXCEEDED, "jobs", -1, "%d agents x %d jobs are more than 2^27 pairs", p.agents, p.jobs);
  if (p.resources < 1 || p.resources > 64)
    throw invalid_argument("resources", "resources is %d; 1 to 64 are possible", p.resources);
  if (p.budgets < 0 || p.budgets > 64) throw invalid_argument("budgets", "budgets is %d; 0 to 64 are possible", p.budgets);
  check_range(p.loads, pairs * p.resources, 0, kLargest, false, "loads");
  check_range(p.capacities, static_cast<size_t>(p.agents) * p.resources, 0, std::numeric_limits<double>::max(), true,
              "capacities");
  check_range(p.amounts, pairs * p.budgets, 0, kLargest, false, "amounts");
  check_range(p.limits, static_cast<size_t>(p.budgets), 0, std::numeric_limits<double>::max(), true, "limits");

  AssignmentModel m;
  m.agents = p.agents;
  m.jobs = p.jobs;
  m.resources = p.resources;
  m.budgets = p.budgets;
  m.layers = m.resources + m.budgets;
  m.rows = m.resources * m.agents + m.budgets;
  m.sign = p.sense == XC_THERMO_MAXIMISE ? -1 : 1;
  m.limit.assign(p.capacities, p.capacities + static_cast<size_t>(p.agents) * p.resources);
  if (p.budgets) m.limit.insert(m.limit.end(), p.limits, p.limits + p.budgets);
  m.cost.resize(pairs);
  m.use.assign(pairs * m.layers, 0);
  for (int i = 0; i < m.agents; ++i) {
    for (int j = 0; j < m.jobs; ++j) {
      const size_t from = static_cast<size_t>(i) * m.jobs + j, to = static_cast<size_t>(j) * m.agents + i;
      const double cost = p.costs[from];
      const bool forbids = cost == kInfinity || (m.sign < 0 && cost == -kInfinity);
      if (!forbids && !(std::fabs(cost) <= kLargest))
        throw invalid_argument("costs", "costs[%zu] (agent %d, job %d) is %g; it must be within +-1e12, or %s to forbid the pair",
                               from, i, j, cost, m.sign < 0 ? "an infinity" : "+infinity");
      bool possible = !forbids && (!p.allowed || p.allowed[from]);
      for (int s = 0; s < m.layers && possible; ++s) {
        const double use = s < m.resources ? p.loads[s * pairs + from] : p.amounts[(s - m.resources) * pairs + from];
        const double limit = m.limit[m.row(s, i)];
        possible = keep_misfits || use <= limit + AssignmentModel::slack_of(limit);
        m.use[s * pairs + to] = use;
      }
      if (!possible)
        for (int s = 0; s < m.layers; ++s) m.use[s * pairs + to] = 0;
      m.cost[to] = possible ? m.sign * cost : kInfinity;
    }
  }
  for (int j = 0; j < m.jobs; ++j) {
    const double* c = m.costs_of(j);
    if (*std::min_element(c, c + m.agents) == kInfinity) m.hopeless_job = true;
  }
  if (p.start)
    for (int j = 0; j < m.jobs; ++j)
      if (p.start[j] < -1 || p.start[j] >= m.agents)
        throw invalid_argument("warmStart", "warmStart[%d] is %d; it must be an agent from 0 to %d, or -1", j, p.start[j],
                               m.agents - 1);
  m.cost_unit = common_unit(m.cost);
  return m;
}

double AssignmentModel::round_up(double bound) const {
  if (!(cost_unit > 0) || !std::isfinite(bound)) return bound;
  // Sums of a few million rounded terms err by far less than this share of a unit or of the sum.
  const double tolerance = 1e-6 + 1e-11 * std::fabs(bound) / cost_unit;
  return std::ceil(bound / cost_unit - tolerance) * cost_unit;
}

Evaluation evaluate(const AssignmentModel& m, const int32_t* agent_of) {
  Evaluation e;
  std::vector<double> used(static_cast<size_t>(m.rows), 0);
  for (int j = 0; j < m.jobs; ++j) {
    const int i = agent_of[j];
    if (i < 0 || i >= m.agents || m.costs_of(j)[i] == kInfinity) {
      e.cost = kInfinity;
      e.violation += 1;
      continue;
    }
    e.cost += m.costs_of(j)[i];
    for (int s = 0; s < m.layers; ++s) used[m.row(s, i)] += m.use_of(s, j, i);
  }
  for (int r = 0; r < m.rows; ++r)
    if (used[r] > m.limit[r] + AssignmentModel::slack_of(m.limit[r]))
      e.violation += (used[r] - m.limit[r]) / std::max(m.limit[r], 1.0);
  e.feasible = e.violation == 0;
  return e;
}

}  // namespace xcore::thermo
