#include "thermo/assignment/assignment.hpp"

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include "thermo/assignment/branch_bound.hpp"
#include "thermo/assignment/ejection_search.hpp"
#include "thermo/assignment/entropic_dual.hpp"
#include "thermo/assignment/neighbourhood.hpp"
#include "thermo/assignment/rounding.hpp"
#include "thermo/assignment/team.hpp"

namespace xcore::thermo {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr int kSearchers = 3;
constexpr int64_t kChainWork = 1500000;  // evaluations of jobs of a searcher's round: a few milliseconds
constexpr int kRampRounds = 7;           // the first rounds are shorter by powers of two: small problems end there
constexpr int kTreeNodes = 60;           // of a searcher's round
constexpr int kProverNodes = 40;
constexpr int kManyJobs = 2000;          // beyond, chains over all jobs take too long once there is a solution
constexpr int kFirstChains = 12;         // rounds of chains before the first neighbourhoods
constexpr int kChainsEvery = 20;         // and one of so many rounds after
constexpr int kPatience = 60;            // neighbourhoods without gain before a searcher takes another solution

void check_options(const xc_thermo_assignment_options& o) {
  if (!(o.time_limit_ms > 0)) throw invalid_argument("timeLimitMs", "timeLimitMs is %g; it must be above 0", o.time_limit_ms);
  if (o.rounds < -1) throw invalid_argument("rounds", "rounds is %lld; it must be 0 or more, or -1", static_cast<long long>(o.rounds));
  if (o.threads < 0 || o.threads > 256) throw invalid_argument("threads", "threads is %d; it must be 0 to 256", o.threads);
  if (!(o.gap >= 0 && o.gap < kInfinity)) throw invalid_argument("gap", "gap is %g; it must be 0 or more", o.gap);
}

struct Searcher {
  Searcher(const ReducedModel& reduced, const std::vector<double>& multipliers, uint64_t seed, int number)
      : chains(reduced, seed, number), parts(reduced, multipliers, seed, number), random(seed, 0xA551 + number), number(number),
        jobs(reduced.model->jobs) {}

  void run(int64_t round, const std::function<bool()>& stop) {
    const auto& elites = chains.pool().elites();
    const bool have = !elites.empty() && elites.front().violation == 0;
    const bool many = jobs > kManyJobs;
    if (!have || (!many && (round < kFirstChains || (round + number) % kChainsEvery == 0))) {
      chains.run(round, kChainWork >> std::max<int64_t>(0, kRampRounds - round), stop);
      return;
    }
    if (!parts.started() || parts.idle() > kPatience) {
      // The best first, then any of the good ones.
      size_t feasible = 0;
      while (feasible < elites.size() && elites[feasible].violation == 0) ++feasible;
      const size_t pick = parts.started() ? static_cast<size_t>(random.below(static_cast<int32_t>(feasible))) : 0;
      parts.start(elites[pick].agent_of);
    }
    parts.run(round, kTreeNodes, stop);
    chains.offer(parts.solution());
  }

  EjectionSearch chains;
  NeighbourhoodSearch parts;
  FastRandom random;
  int number, jobs;
};

class Solver {
 public:
  Solver(const xc_thermo_assignment& problem, const xc_thermo_assignment_options& options, const Control& control)
      : start_(Clock::now()), m_(make_model(problem)), o_(options), control_(control), team_(options.threads) {
    if (problem.start) warm_.assign(problem.start, problem.start + problem.jobs);
  }

  void run(int32_t* agent_of, xc_thermo_assignment_result* out) {
    const std::function<bool()> stop = [this] { return elapsed_ms() >= o_.time_limit_ms || control_.cancelled(); };
    int64_t round = 0, nodes = 0;
    if (m_.hopeless_job) {
      give_up(agent_of);
      bound_ = kInfinity;
    } else {
      DualOptions dual;
      dual.stop = stop;
      const DualSolution relaxed = entropic_dual(m_, dual, team_);
      control_.throw_if_cancelled();
      root_bound_ = relaxed.bound;
      bound_ = m_.round_up(relaxed.bound);
      const ReducedModel reduced(m_, relaxed.multipliers);
      std::vector<std::unique_ptr<Searcher>> searchers;
      for (int k = 0; k < kSearchers; ++k)
        searchers.push_back(std::make_unique<Searcher>(reduced, relaxed.multipliers, o_.seed, k));
      std::unique_ptr<BranchBound> prover;
      if (BranchBound::suits(m_)) prover = std::make_unique<BranchBound>(m_, relaxed.multipliers, relaxed.bound);
      offer(round_relaxation(reduced, stop));
      for (auto& s : searchers) s->chains.offer(best_);
      if (!warm_.empty()) {
        for (int j = 0; j < m_.jobs; ++j)
          if (warm_[j] < 0 || std::isinf(m_.costs_of(j)[warm_[j]])) warm_[j] = best_[j];
        offer(warm_);
        for (auto& s : searchers) s->chains.offer(warm_);
      }
      for (; !finished() && !stop() && (o_.rounds < 0 || round < o_.rounds); ++round) {
        team_.run(kSearchers + 1, [&](int task) {
          if (task > 0)
            searchers[task - 1]->run(round, stop);
          else if (prover)
            prover->run(kProverNodes, stop);
        });
        control_.throw_if_cancelled();
        for (const auto& s : searchers)
          if (!s->chains.pool().elites().empty()) offer(s->chains.pool().elites().front().agent_of);
        if (prover) {
          if (!prover->best().empty()) offer(prover->best());
          bound_ = std::max(bound_, prover->bound());
          nodes = prover->nodes();
          for (const auto& s : searchers)
            if (!s->parts.has_prices()) s->parts.use(prover->prices());
          if (feasible_) prover->upper(cost_);
          bound_ = std::max(bound_, prover->bound());
        }
        if (feasible_ && round % 8 == 7)
          for (const auto& s : searchers) s->chains.offer(best_);
        if (std::isfinite(o_.time_limit_ms)) control_.progress(std::min(elapsed_ms(), o_.time_limit_ms), o_.time_limit_ms);
      }
      if (feasible_ && bound_ > cost_) bound_ = cost_;  // by rounding alone
    }
    std::copy(best_.begin(), best_.end(), agent_of);
    if (std::isfinite(o_.time_limit_ms)) control_.progress(o_.time_limit_ms, o_.time_limit_ms);
    out->status = feasible_ ? (finished() ? XC_THERMO_OPTIMAL : XC_THERMO_FEASIBLE)
                            : bound_ == kInfinity ? XC_THERMO_INFEASIBLE : XC_THERMO_UNKNOWN;
    out->reserved = 0;
    out->objective = m_.sign * (feasible_ ? cost_ : kInfinity);
    out->bound = m_.sign * bound_;
    out->root_bound = m_.sign * root_bound_;
    out->time_ms = elapsed_ms();
    out->time_to_best_ms = best_ms_;
    out->rounds = round;
    out->nodes = nodes;
  }

 private:
  double elapsed_ms() const { return std::chrono::duration<double, std::milli>(Clock::now() - start_).count(); }

  bool finished() const {
    if (bound_ == kInfinity) return true;
    if (!feasible_) return false;
    const double open = cost_ - bound_;
    return open <= 1e-9 * std::max(1.0, std::fabs(cost_)) || open <= o_.gap * std::fabs(bound_);
  }

  void offer(const std::vector<int32_t>& agent_of) {
    const Evaluation e = evaluate(m_, agent_of.data());
    const bool better = best_.empty() || (e.feasible ? !feasible_ || e.cost < cost_ : !feasible_ && e.violation < violation_);
    if (!better) return;
    best_ = agent_of;
    feasible_ = e.feasible;
    cost_ = e.cost;
    violation_ = e.violation;
    best_ms_ = elapsed_ms();
  }

  // Some job has no possible agent: the others get their cheapest.
  void give_up(int32_t*) {
    best_.assign(m_.jobs, -1);
    for (int j = 0; j < m_.jobs; ++j) {
      double least = kInfinity;
      for (int i = 0; i < m_.agents; ++i)
        if (m_.costs_of(j)[i] < least) least = m_.costs_of(j)[i], best_[j] = i;
    }
  }

  Clock::time_point start_;
  const AssignmentModel m_;
  const xc_thermo_assignment_options& o_;
  const Control& control_;
  Team team_;
  std::vector<int32_t> warm_, best_;
  bool feasible_ = false;
  double cost_ = kInfinity, violation_ = kInfinity, bound_ = -kInfinity, root_bound_ = kInfinity, best_ms_ = 0;
};

}  // namespace

void solve_assignment(const xc_thermo_assignment& problem, const xc_thermo_assignment_options& options, int32_t* agent_of,
                      xc_thermo_assignment_result* result, const Control& control) {
  check_options(options);
  Solver(problem, options, control).run(agent_of, result);
}

}  // namespace xcore::thermo
