#include "thermo/ising/replica_exchange/free_energy.hpp"

#include <cmath>
#include <random>

#include "testing/backend.hpp"

using namespace xcore::thermo::ising;

namespace {

// Harmonic oscillators: energies of density e^(d/2 - 1) exp(-beta e), so that Z is proportional to beta^(-d/2).
std::vector<double> oscillators(double beta, double half_degrees, int count, int seed) {
  std::mt19937_64 random(seed);
  std::gamma_distribution<double> energy(half_degrees, 1 / beta);
  std::vector<double> out(count);
  for (double& e : out) e = energy(random);
  return out;
}

}  // namespace

TEST(FreeEnergy, both_ways_find_the_partition_function_of_oscillators) {
  const EnergySamples a(oscillators(1, 20, 40000, 1), 0), b(oscillators(1.2, 20, 80000, 2), 0);
  const FreeEnergyStep step = free_energy_step(a, 1, b, 1.2);
  EXPECT_NEAR(step.bennett, -20 * std::log(1.2), 0.02);
  EXPECT_NEAR(step.integral, -20 * std::log(1.2), 0.03);
}

TEST(FreeEnergy, counting_equal_energies_changes_no_answer) {
  std::vector<double> low = oscillators(1, 200, 3000, 3), high = oscillators(1.1, 200, 2000, 4);
  for (auto* energies : {&low, &high})
    for (double& e : *energies) e = 0.5 * std::round(2 * e);
  const EnergySamples plain_a(low, 0), plain_b(high, 0), a(low, 0.5), b(high, 0.5);
  EXPECT_LT(a.energies().size(), 300u);
  EXPECT_EQ(plain_a.energies().size(), 3000u);
  EXPECT_NEAR(a.mean(), plain_a.mean(), 1e-9);
  EXPECT_NEAR(a.variance(), plain_a.variance(), 1e-7);
  const auto wanted = free_energy_step(plain_a, 1, plain_b, 1.1), got = free_energy_step(a, 1, b, 1.1);
  EXPECT_NEAR(got.bennett, wanted.bennett, 1e-9);
  EXPECT_NEAR(got.integral, wanted.integral, 1e-9);
  const EnergySamples both = merged({a, a});
  EXPECT_EQ(both.energies().size(), a.energies().size());
  EXPECT_EQ(both.count(), 6000);
  EXPECT_NEAR(both.mean(), a.mean(), 1e-9);
}

TEST(FreeEnergy, distributions_that_do_not_overlap_still_give_a_number) {
  const EnergySamples a({100, 101, 102}, 1), b({-1000}, 1);
  const FreeEnergyStep step = free_energy_step(a, 0.5, b, 3);
  EXPECT_TRUE(std::isfinite(step.bennett));
  EXPECT_GT(step.bennett, -2.5 * 102);
  EXPECT_LT(step.bennett, 2.5 * 1000);
  EXPECT_EQ(free_energy_step(a, 1, b, 1).bennett, 0);
}
