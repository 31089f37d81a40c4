#include "thermo/ising/bitsliced/bitsliced.hpp"

#include <cmath>
#include <cstring>

#include "testing/backend.hpp"
#include "thermo/ising/bitsliced/anneal.hpp"
#include "thermo/ising/bitsliced/colouring.hpp"
#include "thermo/ising/testing_models.hpp"

using namespace xcore;
using namespace xcore::thermo::ising;

namespace {

struct Fixture {
  BitslicedProgram program;
  std::vector<LaneRow> rows, scratch;
  LaneRandom random;
  LaneThresholds thresholds;
  Fixture(const Model& m, double beta, int digits, uint64_t seed)
      : program(compile_bitsliced(to_integers(m, 100))), rows(m.n + 1), scratch(program.scratch_rows), random(seed, 0) {
    bitsliced_randomize(program, rows.data(), random);
    thresholds.set_uniform(acceptance_planes(beta * program.unit, program.largest_weight, digits), digits);
  }
};

}  // namespace

TEST(Colouring, never_joins_neighbours_and_needs_few_colours) {
  const Model dense = testing_random_model(70, 70 * 69 / 2, 1, false, 6);  // all pairs: more colours than a word has bits
  const struct {
    Model model;
    int most;
  } cases[] = {{testing_square_lattice(10, 12, 1), 2},
               {testing_random_model(2000, 20000, 1, false, 9), 9},
               {testing_random_model(3000, 7500, 1, true, 10), 4},
               {dense, 70},
               {testing_random_model(5, 0, 1, true, 1), 1}};
  for (const auto& [m, most] : cases) {
    const Colouring colouring = colour_greedily(to_integers(m, 100));
    EXPECT_LE(static_cast<int>(colouring.starts.size()) - 1, most);
    ASSERT_EQ(colouring.starts.back(), m.n);
    std::vector<int> colour(m.n, -1);
    for (size_t c = 0; c + 1 < colouring.starts.size(); ++c)
      for (int32_t at = colouring.starts[c]; at < colouring.starts[c + 1]; ++at) colour[colouring.order[at]] = static_cast<int>(c);
    for (int32_t i = 0; i < m.n; ++i) {
      ASSERT_GE(colour[i], 0);
      for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) ASSERT_NE(colour[i], colour[m.neighbours[k]]);
    }
  }
}

TEST(Bitsliced, every_instruction_set_gives_the_bits_of_the_definition) {
  for (const Model& m : {testing_random_model(60, 200, 1, true, 1), testing_random_model(40, 300, 5, true, 2),
                         testing_random_model(300, 300, 1, false, 3), testing_random_model(9, 36, 31, true, 4)}) {
    for (const double beta : {0.0, 0.05, 0.4, 2.0, double(INFINITY)}) {
      Fixture wanted(m, beta, 16, 7);
      for (int k = 0; k < 2; ++k)
        bitsliced_sweep_ref(wanted.program, wanted.rows.data(), wanted.random, wanted.thresholds, nullptr);
      for (const BitslicedKernels* const kernels : {&bitsliced_portable, &bitsliced_kernels()}) {
        Fixture got(m, beta, 16, 7);
        for (int k = 0; k < 2; ++k)
          for (const auto& [first, last] : {std::pair<int32_t, int32_t>{0, m.n / 3}, {m.n / 3, m.n}})
            kernels->sweep(got.program, got.rows.data(), got.random, got.thresholds, got.scratch.data(), first, last);
        EXPECT_EQ(0, std::memcmp(got.rows.data(), wanted.rows.data(), sizeof(LaneRow) * m.n)) << "beta " << beta;
      }
    }
  }
}

TEST(Bitsliced, energies_are_those_of_the_model) {
  const Model m = testing_random_model(50, 200, 7, true, 5);
  Fixture f(m, 1, 16, 3);
  std::vector<int8_t> spins(m.n);
  for (const BitslicedKernels* const kernels : {&bitsliced_portable, &bitsliced_kernels()}) {
    std::vector<int64_t> energies(kLanes);
    kernels->energies(f.program, f.rows.data(), f.scratch.data(), energies.data());
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int32_t i = 0; i < m.n; ++i) spins[i] = f.rows[i].bit(lane) ? 1 : -1;
      EXPECT_EQ(static_cast<double>(energies[lane]) * f.program.unit, m.energy(spins.data()));
    }
  }
}

TEST(Bitsliced, counts_are_those_of_every_lane) {
  const Model m = testing_random_model(101, 200, 1, false, 5);
  const Fixture f(m, 1, 16, 3), other(m, 1, 16, 4);
  for (const BitslicedKernels* const kernels : {&bitsliced_portable, &bitsliced_kernels()}) {
    std::vector<int64_t> up(kLanes), differ(kLanes);
    kernels->count(f.rows.data(), nullptr, m.n, up.data());
    kernels->count(f.rows.data(), other.rows.data(), m.n, differ.data());
    for (int lane = 0; lane < kLanes; ++lane) {
      int64_t wanted_up = 0, wanted_differ = 0;
      for (int32_t i = 0; i < m.n; ++i) {
        wanted_up += f.rows[i].bit(lane);
        wanted_differ += f.rows[i].bit(lane) != other.rows[i].bit(lane);
      }
      ASSERT_EQ(up[lane], wanted_up);
      ASSERT_EQ(differ[lane], wanted_differ);
    }
  }
}

TEST(Bitsliced, lanes_may_have_temperatures_of_their_own) {
  // Lanes at T = 0 only descend, lanes at high temperature do not stay where they are.
  const Model m = testing_random_model(100, 300, 1, false, 6);
  Fixture f(m, 1, 16, 3);
  const AcceptancePlanes kinds[2] = {acceptance_planes(0.05, f.program.largest_weight, 16),
                                     acceptance_planes(INFINITY, f.program.largest_weight, 16)};
  std::vector<const AcceptancePlanes*> lanes(kLanes);
  for (int l = 0; l < kLanes; ++l) lanes[l] = &kinds[l % 2];
  f.thresholds.set_lanes(lanes.data(), 16);
  std::vector<int64_t> energies(kLanes);
  for (int k = 0; k < 60; ++k)
    bitsliced_sweep(f.program, f.rows.data(), f.random, f.thresholds, f.scratch.data());
  bitsliced_energies(f.program, f.rows.data(), f.scratch.data(), energies.data());
  double hot = 0, cold = 0;
  for (int l = 0; l < kLanes; ++l) (l % 2 ? cold : hot) += static_cast<double>(energies[l]) / (kLanes / 2);
  EXPECT_LT(cold, -140);
  EXPECT_GT(hot, -60);
}

class BitslicedSampler : public xcore::testing::BackendTest {};

TEST_P(BitslicedSampler, samples_the_boltzmann_distribution_by_exact_enumeration) {
  struct Case {
    Model model;
    double beta;
  };
  const Case cases[] = {{testing_random_model(6, 11, 1, false, 1), 0.3}, {testing_random_model(6, 11, 1, true, 2), 0.7},
                        {testing_random_model(5, 10, 6, true, 3), 0.11}, {testing_random_model(7, 9, 3, true, 4), 0.25},
                        {testing_random_model(4, 6, 1, true, 5), 0.02}};
  for (const Case& c : cases) {
    const auto exact = testing_boltzmann(c.model, c.beta);
    // Independent replicas: one sample each, after many times the relaxation time.
    const ReplicaRows out = anneal_replicas(c.model, std::vector<double>(200, c.beta), 65536, 11, device(), Control());
    std::vector<double> counts(exact.probability.size(), 0);
    for (int64_t r = 0; r < out.replicas(); ++r) {
      size_t state = 0;
      for (int32_t i = 0; i < c.model.n; ++i) state |= static_cast<size_t>(out.spin(i, r) > 0) << i;
      ++counts[state];
    }
    testing_expect_chi_square(counts, exact.probability, "beta " + std::to_string(c.beta));
  }
}

TEST_P(BitslicedSampler, the_energy_of_the_square_lattice_is_kaufmans) {
  for (const double beta : {0.2, 0.35, 0.5}) {
    const Model m = testing_square_lattice(16, 16, 1);
    const int64_t replicas = 4096;
    // Annealed, so that low temperatures do not keep the walls of a quench.
    std::vector<double> betas;
    for (int k = 0; k < 600; ++k) betas.push_back(beta * std::min(1.0, k / 300.0));
    const ReplicaRows out = anneal_replicas(m, betas, replicas, 5, device(), Control());
    std::vector<int8_t> spins(m.n);
    double sum = 0, squares = 0;
    for (int64_t r = 0; r < out.replicas(); ++r) {
      for (int32_t i = 0; i < m.n; ++i) spins[i] = static_cast<int8_t>(out.spin(i, r));
      const double e = m.energy(spins.data());
      sum += e;
      squares += e * e;
    }
    const double count = static_cast<double>(out.replicas()), mean = sum / count;
    const double error = std::sqrt((squares / count - mean * mean) / count);
    EXPECT_NEAR(mean, testing_kaufman_energy(16, 16, beta), 4.5 * error) << "beta " << beta;
  }
}

XC_INSTANTIATE_BACKENDS(BitslicedSampler);
