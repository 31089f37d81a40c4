#include "thermo/ising/ground_state/ground_state.hpp"

#include <cmath>
#include <fstream>
#include <limits>

#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"
#include "thermo/ising/reduction/reduction.hpp"
#include "thermo/ising/testing_models.hpp"

using namespace xcore;
using namespace xcore::thermo::ising;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

xc_ising_solve_options rounds(int64_t count, uint64_t seed = 1) {
  xc_ising_solve_options o{};
  o.seed = seed;
  o.time_limit_s = 60;
  o.target = -kInfinity;
  o.rounds = count;
  return o;
}

void expect_refused(const xc_ising_model& m, const xc_ising_solve_options& o, const char* field) {
  std::vector<int8_t> spins(std::max(1, m.n));
  try {
    solve(m, o, kCpu, spins.data(), Control());
    FAIL() << "accepted; expected a refusal of " << field;
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
    EXPECT_EQ(e.field, field);
  }
}

}  // namespace

TEST(PartitionCrossover, takes_the_best_of_all_mixtures_of_components) {
  const Model m = testing_random_model(40, 40, 3, true, 51);
  PartitionCrossover crossover(m);
  Philox random(1);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int8_t> a(m.n), b(m.n);
    for (int32_t i = 0; i < m.n; ++i) {
      a[i] = random.next_u32() & 1 ? 1 : -1;
      b[i] = random.next_below(4) ? a[i] : -a[i];
    }
    // Components found in another way: by joining the labels of differing neighbours until nothing changes.
    std::vector<int32_t> label(m.n);
    for (int32_t i = 0; i < m.n; ++i) label[i] = a[i] != b[i] ? i : -1;
    for (int pass = 0; pass < m.n; ++pass)
      for (int32_t i = 0; i < m.n; ++i)
        for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
          if (label[i] >= 0 && label[m.neighbours[k]] >= 0) label[i] = std::min(label[i], label[m.neighbours[k]]);
    double best = m.energy(a.data());
    for (int32_t c = 0; c < m.n; ++c) {
      std::vector<int8_t> child = a;
      for (int32_t i = 0; i < m.n; ++i)
        if (label[i] == c) child[i] = b[i];
      best += std::min(0.0, m.energy(child.data()) - m.energy(a.data()));
    }
    const double before = m.energy(a.data());
    const double change = crossover.improve(a.data(), b.data(), random);
    EXPECT_NEAR(m.energy(a.data()), best, 1e-9);
    EXPECT_NEAR(before + change, best, 1e-9);
  }
}

TEST(Reduction, keeps_a_ground_state_of_every_model) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Model m = testing_random_model(12, 8 + static_cast<int64_t>(seed % 14), 1 + static_cast<int32_t>(seed % 3), seed % 2, seed);
    if (seed % 5 == 0)
      for (int32_t i = 0; i < m.n; ++i)  // real weights, the same both ways
        for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
          m.couplings[k] *= 1 + 0.01 * ((i + 1) * (m.neighbours[k] + 1) % 7);
    const Reduction reduction(m);
    const Model& kernel = reduction.kernel();
    EXPECT_LT(kernel.n, 12);
    // The best state of the kernel by enumeration.
    std::vector<int8_t> best(kernel.n, 1), spins(kernel.n, 1), whole(m.n);
    double least = kInfinity;
    for (size_t b = 0; b < size_t{1} << kernel.n; ++b) {
      for (int32_t i = 0; i < kernel.n; ++i) spins[i] = b >> i & 1 ? 1 : -1;
      const double e = kernel.energy(spins.data());
      if (e < least) least = e, best = spins;
    }
    reduction.expand(best.data(), whole.data());
    EXPECT_NEAR(m.energy(whole.data()), testing_boltzmann(m, 1).least_energy, 1e-9) << "seed " << seed;
  }
}

TEST(Reduction, a_tree_is_solved_outright) {
  Model m = testing_random_model(200, 0, 1, true, 1);
  std::vector<Edge> edges;
  Philox random(5);
  for (int32_t i = 1; i < 200; ++i) edges.push_back({static_cast<int32_t>(random.next_below(i)), i, random.next_double() - 0.5});
  const Model tree = build_model(200, edges, std::vector<double>(200, 0.0));
  EXPECT_EQ(Reduction(tree).kernel().n, 0);
  std::vector<int8_t> spins(200);
  const auto result = solve(TestingOutside(tree).model, rounds(1), kCpu, spins.data(), Control());
  EXPECT_EQ(result.proven, 1);
  double all = 0;
  for (const Edge& e : edges) all += std::fabs(e.coupling);
  EXPECT_NEAR(result.energy, -all, 1e-9);  // nothing is frustrated on a tree
}

TEST(Reduction, hubs_and_fields_of_many_spins_take_linear_time) {
  // Time proportional to the square of this number would be minutes.
  constexpr int32_t n = 400000;
  std::vector<int32_t> edges;
  for (int32_t i = 1; i < n; ++i) edges.insert(edges.end(), {0, i});
  std::vector<double> weights(n - 1, -1.0), fields(n, 0.5);
  fields[0] = 0;
  std::vector<int8_t> spins(n);
  auto result = solve({edges.data(), weights.data(), nullptr, n - 1, n, 0}, rounds(1), kCpu, spins.data(), Control());
  EXPECT_EQ(result.energy, -(n - 1));
  EXPECT_EQ(result.proven, 1);
  result = solve({nullptr, nullptr, fields.data(), 0, n, 0}, rounds(1), kCpu, spins.data(), Control());
  EXPECT_EQ(result.energy, -0.5 * (n - 1));
  EXPECT_EQ(result.proven, 1);
}

TEST(Reduction, satisfies_all_bonds_where_that_is_possible_and_says_where_it_is_not) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Model m = testing_random_model(10, 16, 1, seed % 2, seed);
    const bool hidden = seed % 4 < 2;  // couplings and fields made to agree with a state
    Philox random(seed);
    std::vector<int8_t> state(10), spins(10);
    for (auto& x : state) x = random.next_u32() & 1 ? 1 : -1;
    for (int32_t i = 0; hidden && i < 10; ++i) {
      for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) m.couplings[k] = state[i] * state[m.neighbours[k]];
      m.fields[i] = std::fabs(m.fields[i]) * state[i];
    }
    double all = 0;
    for (const double w : m.couplings) all += std::fabs(w) / 2;
    for (const double h : m.fields) all += std::fabs(h);
    const bool possible = testing_boltzmann(m, 1).least_energy == -all;
    ASSERT_TRUE(possible || !hidden);
    EXPECT_EQ(satisfy_all_bonds(m, spins.data()), possible) << "seed " << seed;
    if (possible) {
      EXPECT_EQ(m.energy(spins.data()), -all);
    }
  }
}

class GroundState : public xcore::testing::BackendTest {};

TEST_P(GroundState, is_that_of_enumeration) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Model m = testing_random_model(14, 70, seed % 2 ? 9 : 1, seed % 3 == 0, 100 + seed);
    if (seed >= 6)
      for (int32_t i = 0; i < m.n; ++i)
        for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
          m.couplings[k] *= 1 + 0.013 * ((i + 1) * (m.neighbours[k] + 1) % 11);
    const TestingOutside outside(m);
    std::vector<int8_t> spins(m.n);
    auto o = rounds(2);
    o.populations = 1;
    const auto result = solve(outside.model, o, device(), spins.data(), Control());
    EXPECT_NEAR(result.energy, testing_boltzmann(m, 1).least_energy, 1e-9) << "seed " << seed;
    EXPECT_NEAR(m.energy(spins.data()), result.energy, 1e-9);
  }
}

TEST_P(GroundState, independent_spins_follow_their_fields_whatever_their_sizes) {
  std::vector<double> fields;
  Philox random(3);
  double all = 0;
  for (int i = 0; i < 1000; ++i) {
    fields.push_back((random.next_u32() & 1 ? 1 : -1) * std::pow(10.0, -6 + 12 * random.next_double()));
    all += std::fabs(fields.back());
  }
  const xc_ising_model m{nullptr, nullptr, fields.data(), 0, 1000, 0};
  std::vector<int8_t> spins(1000);
  const auto result = solve(m, rounds(1), device(), spins.data(), Control());
  EXPECT_NEAR(result.energy, -all, 1e-9 * all);
  EXPECT_EQ(result.proven, 1);
}

TEST_P(GroundState, of_the_gset_is_the_best_known) {
  XC_REFERENCE_OR_SKIP(folder, "reference/optimisation/gset");
  const struct {
    const char* name;
    double cut;
  } graphs[] = {{"G1", 11624}, {"G11", 564}, {"G32", 1410}};
  for (const auto& g : graphs) {
    std::ifstream file(folder + "/" + g.name + ".txt");
    int n = 0, edge_count = 0;
    ASSERT_TRUE(file >> n >> edge_count);
    std::vector<int32_t> edges(2 * edge_count);
    std::vector<double> weights(edge_count);
    double total = 0;
    for (int k = 0; k < edge_count; ++k) {
      double w;
      ASSERT_TRUE(file >> edges[2 * k] >> edges[2 * k + 1] >> w);
      --edges[2 * k];
      --edges[2 * k + 1];
      weights[k] = -w;
      total += w;
    }
    xc_ising_solve_options o{};
    o.seed = 1;
    o.time_limit_s = 30;
    o.target = total - 2 * g.cut;
    std::vector<int8_t> spins(n);
    const auto result = solve({edges.data(), weights.data(), nullptr, edge_count, n, 0}, o, device(), spins.data(), Control());
    EXPECT_EQ((total - result.energy) / 2, g.cut) << g.name;
    EXPECT_EQ(result.target_reached, 1);
  }
}

TEST_P(GroundState, stops_at_its_target_and_its_limit_with_a_state_worth_having) {
  const Model m = testing_random_model(2000, 20000, 1, false, 63);
  const TestingOutside outside(m);
  std::vector<int8_t> spins(m.n);
  auto o = rounds(0);
  o.time_limit_s = 0.3;
  auto result = solve(outside.model, o, device(), spins.data(), Control());
  EXPECT_LT(result.time_s, 1.5);  // generous: test machines are shared, and a driver may start
  EXPECT_LT(result.energy, -6000);
  EXPECT_EQ(m.energy(spins.data()), result.energy);
  o.target = -5500;  // one annealing is far below
  o.time_limit_s = 60;
  result = solve(outside.model, o, device(), spins.data(), Control());
  EXPECT_EQ(result.target_reached, 1);
  EXPECT_LE(result.energy, -5500);
  EXPECT_LT(result.time_s, 10);
}

XC_INSTANTIATE_BACKENDS(GroundState);

TEST(GroundStateCpu, a_number_of_rounds_gives_the_same_state_on_any_number_of_threads) {
  const TestingOutside outside(testing_random_model(150, 900, 1, false, 61));
  const auto run = [&](int threads) {
    thread_pool().set_threads(threads);
    std::vector<int8_t> spins(150);
    solve(outside.model, rounds(2, 9), kCpu, spins.data(), Control());
    return spins;
  };
  const int before = thread_pool().threads();
  const auto one = run(1), two = run(2), four = run(4);
  thread_pool().set_threads(before);
  EXPECT_EQ(one, two);
  EXPECT_EQ(one, four);
}

TEST(GroundStateCpu, keeps_its_time_limit_its_warm_start_and_its_cancel) {
  const Model m = testing_random_model(3000, 30000, 1, false, 62);
  const TestingOutside outside(m);
  std::vector<int8_t> spins(m.n), again(m.n);
  auto o = rounds(0);
  o.time_limit_s = 0.3;
  const auto first = solve(outside.model, o, kCpu, spins.data(), Control());
  EXPECT_LT(first.time_s, 1.5);  // generous: test machines are shared
  o.start = spins.data();
  o.time_limit_s = 1e-6;
  const auto second = solve(outside.model, o, kCpu, again.data(), Control());
  EXPECT_LE(second.energy, first.energy);
  const int32_t cancel = 1;
  const xc_control control{&cancel, nullptr, nullptr};
  EXPECT_THROW(solve(outside.model, o, kCpu, again.data(), Control(&control)), Error);
}

TEST(GroundStateCpu, refuses_what_is_no_model_or_no_search) {
  const int32_t loop[] = {1, 1}, outside[] = {0, 7}, fine[] = {0, 1};
  const double one[] = {1}, nan[] = {NAN}, huge[] = {1.7e308}, fields[] = {0, INFINITY, 0};
  auto o = rounds(1);
  expect_refused({nullptr, nullptr, nullptr, 0, 0, 0}, o, "n");
  expect_refused({loop, one, nullptr, 1, 3, 0}, o, "edges");
  expect_refused({outside, one, nullptr, 1, 3, 0}, o, "edges");
  expect_refused({fine, nan, nullptr, 1, 3, 0}, o, "weights");
  expect_refused({fine, huge, nullptr, 1, 3, 0}, o, "weights");
  expect_refused({fine, one, fields, 1, 3, 0}, o, "fields");
  o.time_limit_s = 0;
  expect_refused({fine, one, nullptr, 1, 3, 0}, o, "timeLimitMs");
  o = rounds(0);
  o.time_limit_s = kInfinity;
  expect_refused({fine, one, nullptr, 1, 3, 0}, o, "timeLimitMs");
  o = rounds(1);
  const int8_t start[] = {1, 0, 1};
  o.start = start;
  expect_refused({fine, one, nullptr, 1, 3, 0}, o, "start");
}

TEST(GroundStateCpu, duplicate_edges_add_up) {
  const int32_t edges[] = {0, 1, 1, 0, 1, 2};
  const double weights[] = {2, -3, 1};
  std::vector<int8_t> spins(3);
  const auto result = solve({edges, weights, nullptr, 3, 3, 0}, rounds(1), kCpu, spins.data(), Control());
  EXPECT_EQ(result.energy, -2);
  EXPECT_NE(spins[0], spins[1]);
  EXPECT_EQ(spins[1], spins[2]);
}
