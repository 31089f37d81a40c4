#include "thermo/ising/dense/dense_anneal.hpp"

#include <cmath>
#include <numeric>

#include "testing/backend.hpp"
#include "thermo/ising/ground_state/ground_state.hpp"
#include "thermo/ising/testing_models.hpp"

using namespace xcore;
using namespace xcore::thermo::ising;

namespace {

// All pairs of n spins, weights of -range to range times `unit`; fields too.
Model complete(int32_t n, int32_t range, double unit, uint64_t seed) {
  Philox random(seed);
  const auto weight = [&] { return unit * (static_cast<double>(random.next_below(static_cast<uint32_t>(2 * range + 1))) - range); };
  std::vector<Edge> edges;
  for (int32_t a = 0; a < n; ++a)
    for (int32_t b = a + 1; b < n; ++b) edges.push_back({a, b, weight()});
  std::vector<double> fields(n);
  for (double& h : fields) h = weight();
  return build_model(n, edges, fields);
}

struct Endless {
  bool operator()() const { return false; }
  double seconds_left() const { return INFINITY; }
};

struct State {
  std::vector<float> spins, fields;
  explicit State(const DenseModel& d) : spins(d.stride, 1.0f), fields(d.stride) {
    Philox random(3);
    for (int32_t i = 0; i < d.model.n; ++i) spins[i] = random.next_u32() & 1 ? 1.0f : -1.0f;
    dense_kernels().local_fields(d, spins.data(), fields.data());
  }
};

}  // namespace

TEST(DenseAnneal, every_instruction_set_gives_the_same_bits_and_fields_stay_those_of_the_spins) {
  for (const Model& m : {complete(75, 100, 1, 1), complete(70, 3000, 0.5, 2), complete(80, 1 << 20, 0.37e-9, 3)}) {
    const DenseModel d(m);
    const auto temperature = static_cast<float>(d.reheat);
    State wanted(d), got(d);
    DenseRandom wanted_random(7, 1), got_random(7, 1);
    for (int k = 0; k < 5; ++k) {
      const int64_t flips = dense_portable.sweep(d, wanted.spins.data(), wanted.fields.data(), temperature, wanted_random);
      EXPECT_EQ(dense_kernels().sweep(d, got.spins.data(), got.fields.data(), temperature, got_random), flips);
    }
    EXPECT_EQ(got.spins, wanted.spins);
    EXPECT_EQ(got.fields, wanted.fields);
    std::vector<int8_t> spins(m.n);
    for (int32_t i = 0; i < m.n; ++i) spins[i] = got.spins[i] > 0 ? 1 : -1;
    for (int32_t i = 0; i < m.n; ++i)
      EXPECT_NEAR(got.fields[i] * d.unit, m.local_field(i, spins.data()), d.real.empty() ? 0 : 1e-4 * d.unit);
  }
}

TEST(DenseAnneal, finds_the_ground_state_of_small_models) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const Model m = complete(14, 5, seed % 2 ? 1 : 0.31, seed);
    const DenseModel d(m);
    DensePopulation population(d, seed, 0);
    population.round(Endless());
    EXPECT_NEAR(population.best_energy(), testing_boltzmann(m, 1).least_energy, 1e-9);
    EXPECT_EQ(population.best_energy(), m.energy(population.best()));
  }
}

// The Sherrington-Kirkpatrick model: per spin and typical local field the ground states of finite models lie near
// -0.7632 + 0.70 n^(-2/3) (S. Boettcher, Eur. Phys. J. B 46, 501 (2005)), with a scatter of about 0.3 n^(-5/6) a sample.
TEST(DenseAnneal, reaches_the_energies_known_of_the_sherrington_kirkpatrick_model) {
  const int32_t n = 300;
  double sum = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Philox random(seed, 5);
    std::vector<Edge> edges;
    for (int32_t a = 0; a < n; ++a)
      for (int32_t b = a + 1; b < n; ++b) edges.push_back({a, b, random.next_u32() & 1 ? 1.0 : -1.0});
    const TestingOutside outside(build_model(n, edges, std::vector<double>(n, 0.0)));
    xc_ising_solve_options o{};
    o.time_limit_s = 20;
    o.target = -INFINITY;
    o.rounds = 4;
    std::vector<int8_t> spins(n);
    sum += solve(outside.model, o, kCpu, spins.data(), Control()).energy / (n * std::sqrt(n - 1.0)) / 6;
  }
  EXPECT_NEAR(sum, -0.7632 + 0.70 * std::pow(n, -2.0 / 3), 3 * 0.3 * std::pow(n, -5.0 / 6) / std::sqrt(6.0) + 0.003);
}

class DenseSearch : public xcore::testing::BackendTest {};

TEST_P(DenseSearch, every_device_finds_the_same_ground_state_for_whole_and_real_weights) {
  for (const auto& [range, unit] : {std::pair<int32_t, double>{100, 1}, {3000, 0.5}, {1 << 20, 0.37e-9}}) {
    const Model m = complete(90, range, unit, 11);
    ASSERT_TRUE(dense_pays(m));
    const TestingOutside outside(m);
    xc_ising_solve_options o{};
    o.time_limit_s = 20;
    o.target = -INFINITY;
    o.rounds = 40;
    std::vector<int8_t> spins(m.n), again(m.n);
    const auto found = solve(outside.model, o, device(), spins.data(), Control());
    EXPECT_EQ(found.energy, m.energy(spins.data()));
    for (int32_t i = 0; i < m.n; ++i) EXPECT_GE(spins[i] * m.local_field(i, spins.data()), 0);
    const DenseModel d(m);
    DensePopulation other(d, 77, 3);
    for (int k = 0; k < 60; ++k) other.round(Endless());
    EXPECT_NEAR(found.energy, other.best_energy(), 1e-9 * std::fabs(found.energy));
    o.start = spins.data();  // a given state is kept
    o.rounds = 1;
    o.seed = 5;
    EXPECT_LE(solve(outside.model, o, device(), again.data(), Control()).energy, found.energy);
  }
}

TEST_P(DenseSearch, stops_at_its_target_and_its_limit) {
  const Model m = complete(700, 100, 1, 4);
  const TestingOutside outside(m);
  xc_ising_solve_options o{};
  o.time_limit_s = 0.3;
  o.target = -INFINITY;
  std::vector<int8_t> spins(m.n);
  const auto limited = solve(outside.model, o, device(), spins.data(), Control());
  EXPECT_LT(limited.time_s, 1.5);
  EXPECT_EQ(limited.energy, m.energy(spins.data()));
  o.time_limit_s = 60;
  o.target = 0.97 * limited.energy;
  const auto reached = solve(outside.model, o, device(), spins.data(), Control());
  EXPECT_EQ(reached.target_reached, 1);
  EXPECT_LT(reached.time_s, 30);
}

XC_INSTANTIATE_BACKENDS(DenseSearch);

TEST(DenseAnneal, a_given_state_is_a_lineage_and_results_repeat) {
  const Model m = complete(120, 100, 1, 9);
  const DenseModel d(m);
  DensePopulation first(d, 5, 0), second(d, 5, 0), other(d, 6, 0);
  for (auto* population : {&first, &second, &other})
    for (int k = 0; k < 3; ++k) population->round(Endless());
  EXPECT_EQ(first.best_energy(), second.best_energy());
  EXPECT_TRUE(std::equal(first.best(), first.best() + m.n, second.best()));
  DensePopulation seeded(d, 8, 0);
  seeded.seed_with(first.best());
  seeded.round(Endless());
  EXPECT_LE(seeded.best_energy(), first.best_energy());
}
