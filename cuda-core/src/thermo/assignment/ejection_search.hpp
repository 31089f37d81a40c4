// Local search with ejection chains and path relinking.
//
// A chain takes a job in hand, fills the gap it left with the job that fits best, fills the gap that one left, and so
// on; after every step it tries to close by putting the job in hand into the newest gap or at any other agent. Energies
// are those of reduced.hpp: limits may be exceeded at a price that rises while the search finds nothing feasible and
// falls while it does (strategic oscillation).
//
// Between local optima the search hops: a few jobs are displaced, chains from the agents concerned mend what they can, and
// the new optimum is kept by Metropolis' rule at a temperature that falls over a cycle of hops (D. Wales, J. Doye, J. Phys.
// Chem. A 101, 1997). Each cycle starts between two good solutions.
//   M. Yagiura, T. Ibaraki, F. Glover, "An ejection chain approach for the generalized assignment problem", INFORMS J.
//   Computing 16, 2004; the same, "A path relinking approach with ejection chains for the generalized assignment
//   problem", EJOR 169, 2006.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "thermo/assignment/chain_step.hpp"
#include "thermo/assignment/random.hpp"
#include "thermo/assignment/reduced.hpp"

namespace xcore::thermo {

struct Elite {
  std::vector<int32_t> agent_of;
  double cost;       // of the model; what it costs whether or not it is feasible
  double violation;  // 0 when feasible
};

// Good solutions, all different, best first: by what they miss of feasibility and then by cost.
class ElitePool {
 public:
  explicit ElitePool(size_t capacity) : capacity_(capacity) {}
  void offer(const AssignmentModel& model, const std::vector<int32_t>& agent_of);
  const std::vector<Elite>& elites() const { return elites_; }

 private:
  size_t capacity_;
  std::vector<Elite> elites_;
};

// One searcher. Its pool and all it does in a round depend on the seed, its number and the rounds before.
class EjectionSearch {
 public:
  EjectionSearch(const ReducedModel& reduced, uint64_t seed, int number);

  // Searches for about `work` evaluations of jobs; `stop` is polled between chains.
  void run(int64_t round, int64_t work, const std::function<bool()>& stop);
  // Takes a solution found elsewhere into the pool.
  void offer(const std::vector<int32_t>& agent_of) { pool_.offer(m_, agent_of); }
  const ElitePool& pool() const { return pool_; }

 private:
  void load(const std::vector<int32_t>& agent_of);
  void move(int job, int to);
  double insertion(int agent) const;
  void price();
  bool improve_from(int job);
  bool extend(int job, int gap, double energy, int depth);
  void descend(const std::function<bool()>& stop);
  void first_solutions(std::vector<int32_t>& start, const std::function<bool()>& stop);
  void hop(double temperature, const std::function<bool()>& stop);
  void settle(const std::function<bool()>& stop);
  void touch(int agent) { touched_[agent] = 1; }
  double energy() const;
  void relink(const std::vector<int32_t>& target, double share);
  void shake(int moves);
  double row(int r, double slack) const { return std::max(reduced_.left[r] * slack, -over_[r] * slack); }
  bool feasible() const;
  double enough() const { return -1e-7 * reduced_.typical; }  // of a gain, against rounding

  const ReducedModel& reduced_;
  const AssignmentModel& m_;
  uint64_t seed_;
  int number_;
  ElitePool pool_;
  FastRandom random_;
  double factor_ = 2;
  int64_t work_ = 0, work_limit_ = 0;
  int64_t feasible_hops_ = 0;
  int cycle_at_ = -1;         // hops done of the cycle; -1 before the first
  double energy_ = 0;         // of the solution hopped from
  double best_energy_ = 0;    // of the feasible ones of the cycle
  int target_ = -1;

  std::vector<int32_t> agent_of_, order_, cycle_best_;
  std::vector<char> touched_;                        // [agents] changed since settled
  std::vector<std::pair<int32_t, int32_t>> log_;     // moves of the hop: job, where it came from
  std::vector<double> slack_, over_;                 // [rows]
  std::vector<double> reduced_now_, use_now_;        // [jobs], [layers][jobs]
  std::vector<double> reduced_in_hand_, use_in_hand_;  // [agents], [layers][agents]
  std::vector<double> barred_, open_, closed_;       // [jobs], [depth][jobs], [jobs]
  std::vector<ChainLayer> layers_;
};

}  // namespace xcore::thermo
