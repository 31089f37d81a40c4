#include "thermo/assignment/assignment.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <thread>

#include "runtime/cpu_features.hpp"
#include "runtime/philox.hpp"
#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"
#include "thermo/assignment/branch_bound.hpp"
#include "thermo/assignment/chain_step.hpp"
#include "thermo/assignment/entropic_dual.hpp"
#include "thermo/assignment/knapsack.hpp"
#include "thermo/assignment/model.hpp"

using namespace xcore;
using namespace xcore::thermo;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Problem {
  int sense = XC_THERMO_MINIMISE, agents, jobs, resources = 1, budgets = 0;
  std::vector<double> costs, loads, capacities, amounts, limits;
  std::vector<uint8_t> allowed;
  std::vector<int32_t> start;

  xc_thermo_assignment raw() const {
    return {sense, agents, jobs, resources, budgets, costs.data(), loads.data(), capacities.data(), amounts.data(),
            limits.data(), allowed.empty() ? nullptr : allowed.data(), start.empty() ? nullptr : start.data()};
  }
};

struct Solved {
  std::vector<int32_t> agent_of;
  xc_thermo_assignment_result result;
};

xc_thermo_assignment_options options(double time_ms, int64_t rounds = -1, uint64_t seed = 1, int threads = 0) {
  return {time_ms, rounds, seed, threads, 0};
}

Solved solve(const Problem& p, const xc_thermo_assignment_options& o) {
  Solved s;
  s.agent_of.resize(std::max(p.jobs, 0));
  solve_assignment(p.raw(), o, s.agent_of.data(), &s.result, Control());
  return s;
}

// Small problems of every temper: whole and real numbers, tight, loose and impossible limits, budgets, second resources,
// forbidden pairs, equal costs, loads of zero.
Problem random_problem(uint64_t seed) {
  Philox random(seed, 77);
  Problem p;
  p.sense = static_cast<int>(seed % 2);
  p.agents = 2 + static_cast<int>(random.next_below(3));
  p.jobs = 1 + static_cast<int>(random.next_below(p.agents == 2 ? 10 : p.agents == 3 ? 8 : 6));
  p.resources = random.next_below(4) == 0 ? 2 : 1;
  p.budgets = static_cast<int>(random.next_below(3));
  const bool whole = random.next_below(2) == 0, equal = random.next_below(6) == 0;
  const size_t pairs = static_cast<size_t>(p.agents) * p.jobs;
  const auto draw = [&](double most) { return whole ? std::floor(random.next_double() * most) : random.next_double() * most; };
  for (size_t k = 0; k < pairs; ++k) {
    const bool forbid = random.next_below(12) == 0;
    p.costs.push_back(forbid ? (p.sense == XC_THERMO_MAXIMISE && random.next_below(2) ? -kInfinity : kInfinity)
                             : equal ? 7 : draw(50) - 10);
  }
  const double tight = 0.3 + 1.2 * random.next_double();
  for (size_t k = 0; k < pairs * p.resources; ++k) p.loads.push_back(random.next_below(10) == 0 ? 0 : draw(30));
  for (int k = 0; k < p.agents * p.resources; ++k)
    p.capacities.push_back(random.next_below(10) == 0 ? kInfinity : std::floor(tight * 15 * p.jobs / p.agents));
  for (size_t k = 0; k < pairs * p.budgets; ++k) p.amounts.push_back(draw(10));
  for (int k = 0; k < p.budgets; ++k) p.limits.push_back(std::floor((0.5 + random.next_double()) * 5 * p.jobs));
  if (random.next_below(3) == 0)
    for (size_t k = 0; k < pairs; ++k) p.allowed.push_back(random.next_below(8) != 0);
  return p;
}

// OR-Library's type d: the dearer the load, the lower the cost, and little room.
Problem type_d(int agents, int jobs, uint64_t seed) {
  Philox random(seed, 5);
  Problem p;
  p.agents = agents;
  p.jobs = jobs;
  for (int k = 0; k < agents * jobs; ++k) {
    p.loads.push_back(1 + random.next_below(100));
    p.costs.push_back(111 - p.loads.back() + static_cast<int>(random.next_below(21)) - 10);
  }
  for (int i = 0; i < agents; ++i) {
    double sum = 0;
    for (int j = 0; j < jobs; ++j) sum += p.loads[i * jobs + j];
    p.capacities.push_back(std::floor(0.8 * sum / agents));
  }
  return p;
}

void expect_consistent(const Problem& p, const Solved& s) {
  const AssignmentModel m = make_model(p.raw());
  const Evaluation e = evaluate(m, s.agent_of.data());
  const bool feasible = s.result.status == XC_THERMO_OPTIMAL || s.result.status == XC_THERMO_FEASIBLE;
  EXPECT_EQ(e.feasible, feasible);
  if (feasible) {
    EXPECT_EQ(m.sign * e.cost, s.result.objective);
    EXPECT_LE(m.sign * s.result.bound, m.sign * s.result.objective + 1e-9);
  } else {
    EXPECT_EQ(s.result.objective, m.sign * kInfinity);
  }
}

template <class F>
void expect_refused(const std::string& field, F&& call) {
  try {
    call();
    ADD_FAILURE() << "not refused: " << field;
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
    EXPECT_EQ(e.field, field);
  }
}

}  // namespace

TEST(Assignment, small_problems_are_solved_to_the_optimum_that_enumeration_finds) {
  int infeasible = 0, optimal = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    const Problem p = random_problem(seed);
    const double best = solve_assignment_ref(p.raw());
    const Solved s = solve(p, options(20000, 200));
    expect_consistent(p, s);
    const double sign = p.sense == XC_THERMO_MAXIMISE ? -1 : 1;
    if (std::isinf(best)) {
      EXPECT_EQ(s.result.status, XC_THERMO_INFEASIBLE);
      EXPECT_EQ(s.result.bound, best);
      ++infeasible;
    } else {
      EXPECT_EQ(s.result.status, XC_THERMO_OPTIMAL);
      EXPECT_NEAR(s.result.objective, best, 1e-9 * (1 + std::fabs(best)));
      EXPECT_LE(sign * s.result.bound, sign * best + 1e-8 * (1 + std::fabs(best)));
      EXPECT_LE(sign * s.result.root_bound, sign * best + 1e-8 * (1 + std::fabs(best)));
      ++optimal;
    }
  }
  EXPECT_GT(infeasible, 20);
  EXPECT_GT(optimal, 150);
}

TEST(Assignment, bounds_stay_valid_when_the_search_is_cut_short) {
  for (uint64_t seed = 1000; seed < 1200; ++seed) {
    SCOPED_TRACE(seed);
    const Problem p = random_problem(seed);
    const double best = solve_assignment_ref(p.raw()), sign = p.sense == XC_THERMO_MAXIMISE ? -1 : 1;
    for (const int64_t rounds : {0, 1}) {
      const Solved s = solve(p, options(20000, rounds));
      expect_consistent(p, s);
      EXPECT_LE(sign * s.result.bound, sign * best + 1e-8 * (1 + std::fabs(sign * best)));
      if (s.result.status == XC_THERMO_INFEASIBLE) {
        EXPECT_TRUE(std::isinf(best));
      }
    }
  }
}

TEST(Assignment, a_limit_of_rounds_gives_the_same_result_on_any_number_of_threads) {
  const int before = thread_pool().threads();
  const Problem p = type_d(10, 60, 3);
  thread_pool().set_threads(4);
  const Solved one = solve(p, options(kInfinity, 6, 9, 1)), four = solve(p, options(kInfinity, 6, 9, 4));
  thread_pool().set_threads(1);
  const Solved pool_of_one = solve(p, options(kInfinity, 6, 9, 0));
  thread_pool().set_threads(before);
  for (const Solved& s : {four, pool_of_one}) {
    EXPECT_EQ(one.agent_of, s.agent_of);
    EXPECT_EQ(one.result.objective, s.result.objective);
    EXPECT_EQ(one.result.bound, s.result.bound);
    EXPECT_EQ(one.result.nodes, s.result.nodes);
  }
}

TEST(Assignment, keeps_its_time_limit_and_stops_when_cancelled) {
  using Clock = std::chrono::steady_clock;
  const Problem p = type_d(20, 200, 1);
  const auto start = Clock::now();
  const Solved s = solve(p, options(300));
  // Generous: other tests share the cores.
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - start).count(), 0.3 + 0.5);
  expect_consistent(p, s);

  int32_t cancel = 0;
  const xc_control control{&cancel, nullptr, nullptr};
  Clock::time_point cancelled;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cancelled = Clock::now();
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
  });
  std::vector<int32_t> agent_of(p.jobs);
  xc_thermo_assignment_result result;
  try {
    solve_assignment(p.raw(), options(60000), agent_of.data(), &result, Control(&control));
    ADD_FAILURE() << "not cancelled";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_CANCELLED);
  }
  const double late = std::chrono::duration<double>(Clock::now() - cancelled).count();
  other.join();
  EXPECT_LT(late, 0.5);
}

TEST(Assignment, a_first_solution_is_never_made_worse) {
  Problem p = type_d(5, 40, 2);
  const Solved good = solve(p, options(20000, 30));
  p.start = good.agent_of;
  const Solved again = solve(p, options(20000, 0));
  EXPECT_LE(again.result.objective, good.result.objective);
  p.start.assign(p.jobs, -1);
  expect_consistent(p, solve(p, options(20000, 1)));
  p.start[3] = 5;
  expect_refused("warmStart", [&] { solve(p, options(100)); });
}

TEST(Assignment, jobs_larger_than_every_capacity_are_infeasible_and_stay_without_an_agent) {
  Problem p = type_d(3, 6, 1);
  for (int i = 0; i < 3; ++i) p.loads[i * 6 + 2] = 1e6;
  const Solved s = solve(p, options(1000));
  EXPECT_EQ(s.result.status, XC_THERMO_INFEASIBLE);
  EXPECT_EQ(s.result.bound, kInfinity);
  EXPECT_EQ(s.agent_of[2], -1);
  EXPECT_GE(s.agent_of[0], 0);
}

TEST(Assignment, refuses_what_is_no_problem) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto with = [](auto change) {
    Problem p = type_d(2, 3, 1);
    p.budgets = 1;
    p.amounts.assign(6, 1);
    p.limits.assign(1, 10);
    change(p);
    solve(p, options(100));
  };
  for (const double bad : {nan, -1.0, kInfinity}) expect_refused("loads", [&] { with([&](Problem& p) { p.loads[4] = bad; }); });
  for (const double bad : {nan, -1.0, kInfinity}) expect_refused("amounts", [&] { with([&](Problem& p) { p.amounts[4] = bad; }); });
  for (const double bad : {nan, -1.0}) expect_refused("capacities", [&] { with([&](Problem& p) { p.capacities[1] = bad; }); });
  for (const double bad : {nan, -1.0}) expect_refused("limits", [&] { with([&](Problem& p) { p.limits[0] = bad; }); });
  for (const double bad : {nan, -kInfinity, 1e13}) expect_refused("costs", [&] { with([&](Problem& p) { p.costs[4] = bad; }); });
  expect_refused("sense", [&] { with([&](Problem& p) { p.sense = 2; }); });
  expect_refused("agents", [&] { with([&](Problem& p) { p.agents = 0; }); });
  expect_refused("jobs", [&] { with([&](Problem& p) { p.jobs = -1; }); });
  const Problem p = type_d(2, 3, 1);
  for (const double bad : {nan, 0.0, -5.0}) expect_refused("timeLimitMs", [&] { solve(p, options(bad)); });
}

TEST(Assignment, conflicts_are_irreducible) {
  int conflicts = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Problem p = random_problem(seed);
    p.allowed.clear();
    for (double& c : p.costs)
      if (std::isinf(c)) c = 1;
    for (double& c : p.capacities) c = std::isinf(c) ? c : 0.4 * c;
    const AssignmentModel m = make_model(p.raw());
    std::vector<uint8_t> conflict(m.rows);
    assignment_conflict(p.raw(), conflict.data(), Control());
    const auto possible = [&](const std::vector<uint8_t>& rows) {
      Problem q = p;
      for (int r = 0; r < m.rows; ++r)
        if (!rows[r]) (r < p.resources * p.agents ? q.capacities[r] : q.limits[r - p.resources * p.agents]) = kInfinity;
      std::vector<uint8_t> found(m.rows);
      assignment_conflict(q.raw(), found.data(), Control());
      return found == std::vector<uint8_t>(m.rows, 0);
    };
    if (conflict == std::vector<uint8_t>(m.rows, 0)) continue;
    ++conflicts;
    EXPECT_TRUE(std::isinf(solve_assignment_ref(p.raw())));
    EXPECT_FALSE(possible(conflict));
    for (int r = 0; r < m.rows; ++r) {
      if (!conflict[r]) continue;
      std::vector<uint8_t> without = conflict;
      without[r] = 0;
      EXPECT_TRUE(possible(without)) << "row " << r;
    }
  }
  EXPECT_GT(conflicts, 10);
}

TEST(Assignment, the_dual_reaches_the_linear_bound) {
  // One agent has room for one of two equal jobs: the relaxation's optimum is known by hand.
  Problem p;
  p.agents = 2;
  p.jobs = 2;
  p.costs = {1, 1, 5, 5};
  p.loads = {2, 2, 1, 1};
  p.capacities = {3, 10};
  const AssignmentModel m = make_model(p.raw());
  // Three units at agent 0 carry 1.5 jobs: 1.5 x 1 + 0.5 x 5.
  EXPECT_NEAR(entropic_dual(m, {}, Team(1)).bound, 4, 1e-6);
}

TEST(Assignment, knapsacks_are_exact_and_their_losses_true) {
  Philox random(11);
  for (int round = 0; round < 60; ++round) {
    const int n = 1 + static_cast<int>(random.next_below(10)), capacity = static_cast<int>(random.next_below(40));
    std::vector<KnapsackItem> items;
    for (int k = 0; k < n; ++k)
      items.push_back({0.1 + random.next_double(), static_cast<int32_t>(random.next_below(20)), k});
    const auto best = [&](int forced, bool in) {
      double most = -1e300;
      for (int set = 0; set < 1 << n; ++set) {
        if (forced >= 0 && ((set >> forced) & 1) != in) continue;
        double profit = 0;
        int weight = 0;
        for (int k = 0; k < n; ++k)
          if ((set >> k) & 1) profit += items[k].profit, weight += items[k].weight;
        if (weight <= capacity) most = std::max(most, profit);
      }
      return most;
    };
    Knapsack knapsack;
    const double value = knapsack.solve(items, capacity);
    EXPECT_NEAR(value, best(-1, false), 1e-12);
    double taken = 0;
    int weight = 0;
    knapsack.taken([&](int k) { taken += items[k].profit, weight += items[k].weight; });
    EXPECT_NEAR(taken, value, 1e-12);
    EXPECT_LE(weight, capacity);
    knapsack.losses([&](size_t k, double in, double out) {
      const double with = best(static_cast<int>(k), true);
      if (with > -1e299)
        EXPECT_NEAR(value - in, with, 1e-12);
      else
        EXPECT_GT(in, 1e290);
      EXPECT_NEAR(value - out, best(static_cast<int>(k), false), 1e-12);
    });
  }
}

TEST(Assignment, chain_steps_have_the_same_bits_on_every_instruction_set) {
  Philox random(5);
  for (const int agents : {1, 5, 8, 13, 16, 29, 40}) {
    for (const int jobs : {1, 7, 8, 61}) {
      const auto draws = [&](int n, double scale) {
        std::vector<double> v(n);
        for (double& x : v) x = scale * (random.next_double() - 0.3);
        return v;
      };
      std::vector<int32_t> agent_of(jobs);
      for (auto& a : agent_of) a = static_cast<int32_t>(random.next_below(agents));
      const auto use_here = draws(jobs, 30), use_now = draws(jobs, 30), in_hand = draws(agents, 30), slack = draws(agents, 40);
      const auto left = draws(agents, 1), over = draws(agents, 3), reduced_here = draws(jobs, 9), reduced_now = draws(jobs, 9);
      const auto reduced_in_hand = draws(agents, 9);
      std::vector<double> barred(jobs, 0);
      const ChainLayer layers[2] = {
          {use_here.data(), use_now.data(), in_hand.data(), slack.data(), left.data(), over.data(), false},
          {use_now.data(), use_here.data(), in_hand.data(), slack.data(), left.data(), over.data(), true}};
      std::vector<double> open(jobs), closed(jobs), open_other(jobs), closed_other(jobs);
      ChainStep step{jobs, agents, agents / 2, 2, layers, reduced_here.data(), reduced_now.data(), reduced_in_hand.data(),
                     barred.data(), agent_of.data(), open.data(), closed.data()};
      const int32_t wanted = chain_step_portable(step);
      step.open = open_other.data();
      step.closed = closed_other.data();
#if defined(__x86_64__)
      if (cpu_features().level >= CpuLevel::avx2) {
        EXPECT_EQ(chain_step_avx2(step), wanted);
        EXPECT_EQ(open, open_other);
        EXPECT_EQ(closed, closed_other);
      }
      if (cpu_features().level >= CpuLevel::avx512) {
        EXPECT_EQ(chain_step_avx512(step), wanted);
        EXPECT_EQ(open, open_other);
        EXPECT_EQ(closed, closed_other);
      }
#endif
    }
  }
}

// Types a to c of the OR-Library are proven in little time.
TEST(AssignmentReference, easy_instances_are_proven_optimal) {
  XC_REFERENCE_OR_SKIP(folder, "reference/optimisation/gap");
  std::ifstream table(folder + "/best_known.csv");
  std::string line;
  std::getline(table, line);
  int proven = 0;
  while (std::getline(table, line)) {
    char name[32], family[32], split[32], sense[8];
    int index, agents, jobs, best;
    ASSERT_EQ(std::sscanf(line.c_str(), "%31[^,],%31[^,],%d,%31[^,],%7[^,],%d,%d,%d", name, family, &index, split, sense,
                          &agents, &jobs, &best),
              8);
    if (std::string(family) == "gapd") continue;
    std::ifstream file(folder + "/" + name + ".txt");
    Problem p;
    file >> p.agents >> p.jobs;
    p.sense = std::string(sense) == "max" ? XC_THERMO_MAXIMISE : XC_THERMO_MINIMISE;
    p.costs.resize(static_cast<size_t>(agents) * jobs);
    p.loads.resize(p.costs.size());
    p.capacities.resize(agents);
    for (auto* v : {&p.costs, &p.loads, &p.capacities})
      for (double& x : *v) file >> x;
    ASSERT_TRUE(file) << name;
    const Solved s = solve(p, options(20000));
    EXPECT_EQ(s.result.status, XC_THERMO_OPTIMAL) << name;
    EXPECT_EQ(s.result.objective, best) << name;
    ++proven;
  }
  EXPECT_GE(proven, 40);
}
