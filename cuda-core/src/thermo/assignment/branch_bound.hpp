// Proven bounds, and optima where the time allows, by tree search over a Lagrangian relaxation.
//
// With prices v_j for being assigned the jobs' constraints go into the objective and every agent is left with a knapsack,
// solved exactly; budgets and second resources keep their own multipliers. The maximum over v is at least the linear
// bound and mostly above it. Reduced costs of the knapsacks remove pairs that no good enough solution holds.
//
// The tree is searched for solutions not dearer than a target. An exhausted tree raises the proven bound to the target,
// which then moves up: near the bound almost every pair is removed, so that each of these trees is small.
//   M. Posta, J. Ferland, P. Michelon, "An exact method with variable fixing for solving the generalized assignment
//   problem", Computational Optimization and Applications 52, 2012.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "thermo/assignment/knapsack.hpp"
#include "thermo/assignment/model.hpp"

namespace xcore::thermo {

class BranchBound {
 public:
  // prove: raises the bound by targets from below. improve: looks for anything better than `upper` at once, with a
  // short ascent at the root; for the small parts of a problem that a neighbourhood search frees.
  enum class Aim { prove, improve };

  // `multipliers` are those of the linear relaxation, whose bound is `bound`. `prices` [jobs], when there are better
  // ones to start from than those that follow.
  BranchBound(const AssignmentModel& model, const std::vector<double>& multipliers, double bound, Aim aim = Aim::prove,
              const std::vector<double>& prices = {});

  // Whether the knapsacks' tables have a bearable size.
  static bool suits(const AssignmentModel& model);

  // Works through about so many tree nodes; `stop` is polled between knapsacks.
  void run(int nodes, const std::function<bool()>& stop);

  // A solution of this cost is known.
  void upper(double cost);
  // Whether nothing is left to do: the optimum, or that there is no solution, is proven.
  bool done() const { return done_; }
  double bound() const { return bound_; }  // +infinity when infeasible
  double cost() const { return best_cost_; }
  const std::vector<int32_t>& best() const { return best_; }  // empty until this search found one
  int64_t nodes() const { return nodes_; }
  // The root's prices once its ascent is done, else empty.
  std::vector<double> prices() const { return root_ready_ ? root_prices_ : std::vector<double>(); }
  // The bound of the Lagrangian itself, before any branching.
  double root_bound() const { return root_bound_; }

 private:
  struct Frame {
    int job;
    std::vector<int32_t> agents;  // to try, the likeliest first
    size_t next = 0;
    size_t trail;
    std::vector<double> prices, multipliers;
  };
  struct Undo {
    int agent, job;
    bool fixed;
  };
  enum class Fate { pruned, branch, stopped };

  double pair_cost(int agent, int job) const { return pair_cost_[static_cast<size_t>(agent) * m_.jobs + job]; }
  void price_pairs();
  double evaluate(const std::function<bool()>& stop, bool* stopped);
  Fate process(int iterations, const std::function<bool()>& stop);
  bool remove(int agent, int job);
  bool fix(int job);
  bool propagate();
  bool fix_by_reduced_costs(double bound, const std::function<bool()>& stop, int* removed);
  void undo(size_t mark);
  void branch();
  void found(const std::vector<int32_t>& agent_of);
  void next_target();
  bool hopeless(double bound) const { return bound > target_ + tolerance_; }

  const AssignmentModel& m_;
  const Aim aim_;
  double bound_, target_ = 0, tolerance_, step_ = 0, best_cost_, worst_cost_ = 0;
  double root_bound_;
  std::vector<int32_t> best_;
  bool done_ = false, at_root_ = true, tree_open_ = false, root_ready_ = false;
  int64_t nodes_ = 0;

  std::vector<int32_t> weight_, capacity_;  // [agents x jobs], [agents]; capacity -1: none
  std::vector<char> allowed_;               // [agents x jobs]
  std::vector<int32_t> choices_, agent_of_;  // [jobs] allowed agents; the agent when fixed, else -1
  std::vector<int32_t> room_;               // [agents]
  std::vector<Undo> trail_;
  std::vector<int32_t> queue_;
  std::vector<Frame> frames_;

  std::vector<double> prices_, multipliers_, pair_cost_;
  std::vector<double> root_prices_, root_multipliers_;
  std::vector<int32_t> times_taken_, taken_by_;  // [jobs]
  std::vector<double> row_use_;                  // [rows]
  std::vector<float> share_;                     // [agents x jobs], how often taken of late
  std::vector<std::vector<KnapsackItem>> items_;
  Knapsack knapsack_;
};

}  // namespace xcore::thermo
