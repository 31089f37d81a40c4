#include "thermo/assignment/neighbourhood.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "thermo/assignment/branch_bound.hpp"

namespace xcore::thermo {
namespace {

constexpr double kFewestJobs = 12, kMostJobs = 160;
constexpr int kNodesATree = 300;
constexpr double kSpreadShare = 0.9;  // of the neighbourhoods over all agents
constexpr int kSpreadAgents = 64;     // at most so many agents for them

// The part of a model that these agents and jobs make up when all other jobs stay where they are.
AssignmentModel part_of(const AssignmentModel& m, const std::vector<int>& agents, const std::vector<int>& jobs,
                        const std::vector<int32_t>& agent_of) {
  AssignmentModel part;
  part.agents = static_cast<int>(agents.size());
  part.jobs = static_cast<int>(jobs.size());
  part.resources = m.resources;
  part.budgets = m.budgets;
  part.layers = m.layers;
  part.rows = part.resources * part.agents + part.budgets;
  part.cost_unit = m.cost_unit;
  std::vector<char> is_free(m.jobs, 0);
  for (const int j : jobs) is_free[j] = 1;
  std::vector<double> left = m.limit;
  for (int j = 0; j < m.jobs; ++j)
    if (!is_free[j])
      for (int s = 0; s < m.layers; ++s) left[m.row(s, agent_of[j])] -= m.use_of(s, j, agent_of[j]);
  part.limit.resize(part.rows);
  for (int s = 0; s < m.layers; ++s)
    for (int a = 0; a < (s < m.resources ? part.agents : 1); ++a)
      part.limit[part.row(s, a)] = std::max(0.0, left[m.row(s, agents[a])]);
  const size_t pairs = static_cast<size_t>(part.agents) * part.jobs;
  part.cost.resize(pairs);
  part.use.resize(pairs * m.layers);
  for (int k = 0; k < part.jobs; ++k)
    for (int a = 0; a < part.agents; ++a) {
      const size_t at = static_cast<size_t>(k) * part.agents + a;
      part.cost[at] = m.costs_of(jobs[k])[agents[a]];
      for (int s = 0; s < m.layers; ++s) {
        const double use = m.use_of(s, jobs[k], agents[a]), limit = part.limit[part.row(s, a)];
        part.use[s * pairs + at] = use;
        if (use > limit + AssignmentModel::slack_of(limit)) part.cost[at] = std::numeric_limits<double>::infinity();
      }
    }
  return part;
}

}  // namespace

void NeighbourhoodSearch::start(const std::vector<int32_t>& agent_of) {
  agent_of_ = agent_of;
  idle_ = 0;
}

void NeighbourhoodSearch::run(int64_t round, int nodes, const std::function<bool()>& stop) {
  FastRandom random(seed_, (uint64_t{1} << 32) + static_cast<uint64_t>(round) * 256 + static_cast<uint64_t>(number_));
  while (nodes > 0 && !stop()) nodes -= improve(random, std::min(nodes, kNodesATree), stop);
}

int NeighbourhoodSearch::improve(FastRandom& random, int nodes, const std::function<bool()>& stop) {
  // Of the two kinds the one whose turn it is: all agents with the least decided jobs, or a few agents with all theirs.
  const bool spread = m_.agents <= kSpreadAgents && random.uniform() < kSpreadShare;
  double& wanted = spread ? spread_wanted_ : jobs_wanted_;
  // Agents in random order until their jobs are enough, at least two; of too many jobs those with the most to gain.
  std::vector<std::vector<int>> jobs_of(m_.agents);
  for (int j = 0; j < m_.jobs; ++j) jobs_of[agent_of_[j]].push_back(j);
  std::vector<int> order(m_.agents), agents, jobs;
  std::iota(order.begin(), order.end(), 0);
  for (int i = 0; i < m_.agents; ++i) {
    std::swap(order[i], order[i + random.below(m_.agents - i)]);
    agents.push_back(order[i]);
    jobs.insert(jobs.end(), jobs_of[order[i]].begin(), jobs_of[order[i]].end());
    if (!spread && agents.size() >= 2 && jobs.size() >= wanted) break;
  }
  const size_t most = static_cast<size_t>(spread ? wanted : wanted * 1.5 + 4);
  if (jobs.size() > most) {
    // A job stays when it is where it should be and every other of these agents would be dear; chance mixes in.
    std::vector<std::pair<double, int>> keyed;
    for (const int j : jobs) {
      double other = ReducedModel::kForbidden;
      for (const int i : agents)
        if (i != agent_of_[j]) other = std::min(other, reduced_.reduced_of(i)[j]);
      const double chance = random.uniform();
      keyed.push_back({(other - reduced_.reduced_of(agent_of_[j])[j]) * chance * (spread ? chance : 1), j});
    }
    std::nth_element(keyed.begin(), keyed.begin() + most, keyed.end());
    jobs.clear();
    for (size_t k = 0; k < most; ++k) jobs.push_back(keyed[k].second);
  }
  ++idle_;
  if (jobs.empty()) return 1;
  const AssignmentModel part = part_of(m_, agents, jobs, agent_of_);
  if (!BranchBound::suits(part)) {
    wanted = std::max(kFewestJobs, wanted * 0.8);
    return 1;
  }
  double cost = 0;
  for (const int j : jobs) cost += m_.costs_of(j)[agent_of_[j]];
  std::vector<double> multipliers(part.rows);
  for (int s = 0; s < m_.layers; ++s)
    for (size_t a = 0; a < (s < m_.resources ? agents.size() : 1); ++a)
      multipliers[part.row(s, static_cast<int>(a))] = multipliers_[m_.row(s, agents[a])];
  std::vector<double> prices;
  if (!prices_.empty())
    for (const int j : jobs) prices.push_back(prices_[j]);
  BranchBound tree(part, multipliers, -std::numeric_limits<double>::infinity(), BranchBound::Aim::improve,
                   prices);
  tree.upper(cost);
  tree.run(nodes, stop);
  if (!tree.best().empty()) {
    const std::vector<int32_t> before = agent_of_;
    for (size_t k = 0; k < jobs.size(); ++k) agent_of_[jobs[k]] = agents[tree.best()[k]];
    if (evaluate(m_, agent_of_.data()).feasible)
      idle_ = 0;
    else
      agent_of_ = before;  // only rounding can bring this about
  } else if (tree.done()) {
    wanted = std::min(kMostJobs, wanted * 1.04);
  } else {
    wanted = std::max(kFewestJobs, wanted * 0.96);
  }
  return static_cast<int>(tree.nodes()) + 1;
}

}  // namespace xcore::thermo
