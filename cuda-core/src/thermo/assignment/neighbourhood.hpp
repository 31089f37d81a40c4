// Large neighbourhoods: the jobs of a few agents are set free and assigned anew by the tree search, exactly or until its
// nodes are spent. Some ten jobs of a few agents are solved to proof in milliseconds, so that a solution is soon optimal
// in all these neighbourhoods at once. (P. Shaw, "Using constraint programming and local search methods to solve vehicle
// routing problems", CP 1998.)
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "thermo/assignment/random.hpp"
#include "thermo/assignment/reduced.hpp"

namespace xcore::thermo {

class NeighbourhoodSearch {
 public:
  NeighbourhoodSearch(const ReducedModel& reduced, const std::vector<double>& multipliers, uint64_t seed, int number)
      : reduced_(reduced), m_(*reduced.model), multipliers_(multipliers), seed_(seed), number_(number) {}

  // The solution to improve, feasible. Keeps the size of neighbourhood that was found to suit.
  void start(const std::vector<int32_t>& agent_of);
  // Prices of the Lagrangian over the whole problem, [jobs].
  void use(std::vector<double> prices) { prices_ = std::move(prices); }
  bool has_prices() const { return !prices_.empty(); }
  bool started() const { return !agent_of_.empty(); }
  // Frees parts until about this many tree nodes are spent.
  void run(int64_t round, int nodes, const std::function<bool()>& stop);
  const std::vector<int32_t>& solution() const { return agent_of_; }
  // Neighbourhoods tried since the last improvement.
  int idle() const { return idle_; }

 private:
  int improve(FastRandom& random, int nodes, const std::function<bool()>& stop);

  const ReducedModel& reduced_;
  const AssignmentModel& m_;
  const std::vector<double>& multipliers_;
  uint64_t seed_;
  int number_;
  std::vector<int32_t> agent_of_;
  double jobs_wanted_ = 40, spread_wanted_ = 40;  // of the two kinds of neighbourhood
  std::vector<double> prices_;
  int idle_ = 0;
};

}  // namespace xcore::thermo
