#include "thermo/assignment/reduced.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace xcore::thermo {

ReducedModel::ReducedModel(const AssignmentModel& m, const std::vector<double>& l) : model(&m), left(l) {
  const int agents = m.agents, jobs = m.jobs;
  reduced.assign(static_cast<size_t>(agents) * jobs, kForbidden);
  use.resize(static_cast<size_t>(m.layers) * agents * jobs);
  std::vector<double> energy(agents), second, row_use(m.rows, 0), row_count(m.rows, 0);
  for (int j = 0; j < jobs; ++j) {
    double least = std::numeric_limits<double>::infinity(), next = least;
    for (int i = 0; i < agents; ++i) {
      energy[i] = m.costs_of(j)[i];
      if (std::isinf(energy[i])) continue;
      for (int s = 0; s < m.layers; ++s) {
        const int r = m.row(s, i);
        const double u = m.use_of(s, j, i);
        energy[i] += l[r] * u;
        if (u > 0) {
          row_use[r] += u;
          row_count[r] += 1;
        }
      }
      if (energy[i] < least) {
        next = least;
        least = energy[i];
      } else {
        next = std::min(next, energy[i]);
      }
    }
    constant += least;
    if (std::isfinite(next)) second.push_back(next - least);
    for (int i = 0; i < agents; ++i) {
      if (!std::isinf(energy[i])) reduced[static_cast<size_t>(i) * jobs + j] = energy[i] - least;
      for (int s = 0; s < m.layers; ++s)
        use[(static_cast<size_t>(s) * agents + i) * jobs + j] = m.use_of(s, j, i);
    }
  }
  if (!second.empty()) {
    std::nth_element(second.begin(), second.begin() + second.size() / 2, second.end());
    typical = second[second.size() / 2];
    if (!(typical > 0)) typical = std::accumulate(second.begin(), second.end(), 0.0) / second.size();
  }
  if (!(typical > 0)) typical = m.cost_unit > 0 ? m.cost_unit : 1;
  limit.resize(m.rows);
  over.resize(m.rows);
  for (int r = 0; r < m.rows; ++r) {
    const bool none = std::isinf(m.limit[r]);
    limit[r] = none ? kForbidden : m.limit[r];
    if (none) {
      left[r] = over[r] = 0;
      continue;
    }
    constant -= l[r] * m.limit[r];
    over[r] = std::max(l[r], 0.3 * typical / (row_count[r] > 0 ? row_use[r] / row_count[r] : 1));
  }
}

}  // namespace xcore::thermo
