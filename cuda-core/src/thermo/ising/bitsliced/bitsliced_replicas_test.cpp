#include "thermo/ising/bitsliced/bitsliced_replicas.hpp"

#include <cmath>
#include <numeric>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"
#include "thermo/ising/testing_models.hpp"

using namespace xcore;
using namespace xcore::thermo::ising;

namespace {

std::vector<int8_t> all_spins(Replicas& replicas, int32_t n) {
  std::vector<int32_t> all(replicas.count());
  std::iota(all.begin(), all.end(), 0);
  std::vector<int8_t> spins(static_cast<size_t>(replicas.count()) * n);
  replicas.read(all.data(), replicas.count(), spins.data());
  return spins;
}

std::vector<double> state_counts(Replicas& replicas, int32_t n, int64_t first, int64_t stride) {
  const std::vector<int8_t> spins = all_spins(replicas, n);
  std::vector<double> counts(size_t{1} << n, 0);
  for (int64_t r = first; r < replicas.count(); r += stride) {
    size_t state = 0;
    for (int32_t i = 0; i < n; ++i) state |= static_cast<size_t>(spins[r * n + i] > 0) << i;
    ++counts[state];
  }
  return counts;
}

std::vector<int32_t> alternating(int64_t count, int32_t slots) {
  std::vector<int32_t> slot(count);
  for (int64_t r = 0; r < count; ++r) slot[r] = static_cast<int32_t>(r % slots);
  return slot;
}

}  // namespace

class BitslicedReplicas : public xcore::testing::BackendTest {};

TEST_P(BitslicedReplicas, lanes_sample_the_boltzmann_distribution_of_their_own_temperature) {
  const struct {
    Model model;
    double coldest;
  } cases[] = {{testing_random_model(6, 10, 2, true, 3), 0.5},
               {testing_random_model(5, 9, 5, true, 4), 0.12},
               {testing_random_model(6, 11, 1, false, 5), 0.7}};
  for (const auto& [m, coldest] : cases) {
    const std::vector<double> betas{0, 0.3 * coldest, coldest};
    const auto replicas = make_bitsliced_replicas(m, 60001, {XC_ISING_METROPOLIS, 5, 1000}, device(), Control());
    ASSERT_TRUE(replicas);
    replicas->randomize();
    replicas->set_betas(betas);
    const auto slot = alternating(replicas->count(), 3);
    for (int k = 0; k < 4; ++k) replicas->sweep(slot.data(), 25);
    for (const int s : {0, 1, 2})
      testing_expect_chi_square(state_counts(*replicas, m.n, s, 3), testing_boltzmann(m, betas[s]).probability,
                                "beta " + std::to_string(betas[s]));
  }
}

// 1000 pairs of spins: one in exp(2 beta) is broken, far below what probabilities of 16 digits could tell.
TEST_P(BitslicedReplicas, rare_flips_happen_as_often_as_they_should) {
  constexpr int32_t kPairs = 1000;
  std::vector<Edge> edges;
  for (int32_t k = 0; k < kPairs; ++k) edges.push_back({2 * k, 2 * k + 1, k % 2 ? 1.0 : -1.0});
  const Model m = build_model(2 * kPairs, edges, std::vector<double>(2 * kPairs, 0.0));
  const double beta = 7, broken = 1 / (1 + std::exp(2 * beta));
  const auto replicas = make_bitsliced_replicas(m, 4096, {XC_ISING_METROPOLIS, 8, 0}, device(), Control());
  replicas->randomize();
  replicas->set_betas({beta});
  const std::vector<int32_t> slot(replicas->count(), 0);
  replicas->sweep(slot.data(), 5);
  double seen = 0, wanted = 0;
  for (int k = 0; k < 60; ++k) {
    replicas->sweep(slot.data(), 1);
    const double* const energy = replicas->energies();
    for (int64_t r = 0; r < replicas->count(); ++r) seen += (energy[r] + kPairs) / 2;
    wanted += broken * kPairs * static_cast<double>(replicas->count());
  }
  EXPECT_NEAR(seen, wanted, 6 * std::sqrt(wanted));
}

TEST_P(BitslicedReplicas, a_temperature_of_zero_only_descends) {
  const Model m = testing_random_model(40, 90, 2, true, 3);
  const auto replicas = make_bitsliced_replicas(m, 3000, {XC_ISING_METROPOLIS, 6, 0}, device(), Control());
  replicas->randomize();
  replicas->set_betas({INFINITY});
  const std::vector<int32_t> slot(replicas->count(), 0);
  const std::vector<double> before(replicas->energies(), replicas->energies() + replicas->count());
  replicas->sweep(slot.data(), 5);
  const double* const after = replicas->energies();
  for (int64_t r = 0; r < replicas->count(); ++r) ASSERT_LE(after[r], before[r]);
}

TEST_P(BitslicedReplicas, energies_and_sums_follow_the_spins_and_flips_are_counted_by_temperature) {
  for (const Model& m : {testing_random_model(70, 150, 3, true, 8), testing_square_lattice(30, 30, 1),
                         testing_random_model(60, 700, 40, true, 9)}) {
    const int64_t count = 613;
    const auto replicas = make_bitsliced_replicas(m, count, {XC_ISING_METROPOLIS, 6, 0}, device(), Control());
    const auto check = [&](const char* what) {
      const std::vector<int8_t> spins = all_spins(*replicas, m.n);
      const double* const energy = replicas->energies();
      std::vector<int32_t> order(count), sums(count);
      for (int64_t r = 0; r < count; ++r) order[r] = static_cast<int32_t>((r * 30 + 11) % count);
      replicas->sums_of_spins(order.data(), count, sums.data());
      for (int64_t r = 0; r < count; ++r) {
        ASSERT_EQ(energy[r], m.energy(spins.data() + r * m.n)) << what;
        const int8_t* const of_replica = spins.data() + static_cast<int64_t>(order[r]) * m.n;
        ASSERT_EQ(sums[r], std::accumulate(of_replica, of_replica + m.n, 0)) << what;
      }
    };
    replicas->randomize();
    check("random spins");
    replicas->set_betas({0, 0.05, INFINITY});
    const auto slot = alternating(count, 3);
    replicas->sweep(slot.data(), 10);
    check("sweeps");
    std::vector<uint64_t> flips(3);
    replicas->take_flips(flips.data());
    const double coins = static_cast<double>(count + 2) / 3 * m.n;
    EXPECT_NEAR(static_cast<double>(flips[0]), 10 * coins / 2, 10 * 6 * std::sqrt(coins / 4));
    EXPECT_GT(flips[1], 2 * flips[2]);
    replicas->take_flips(flips.data());
    EXPECT_EQ(flips[0] + flips[1] + flips[2], 0u);
    const std::vector<int8_t> earlier = all_spins(*replicas, m.n);
    std::vector<int32_t> from(count);
    for (int64_t r = 0; r < count; ++r) from[r] = static_cast<int32_t>(r % 4 == 0 ? (r * 7 + 3) % count : r * 2 / 3);
    replicas->resample(from.data());
    check("resampling");
    const std::vector<int8_t> later = all_spins(*replicas, m.n);
    for (int64_t r = 0; r < count; ++r)
      ASSERT_TRUE(std::equal(later.begin() + r * m.n, later.begin() + (r + 1) * m.n, earlier.begin() + int64_t{from[r]} * m.n));
  }
}

XC_INSTANTIATE_BACKENDS(BitslicedReplicas);

TEST(BitslicedReplicasOnCpu, a_result_does_not_depend_on_the_number_of_threads) {
  const Model m = testing_random_model(50, 150, 3, true, 2);
  const auto run = [&](int threads) {
    thread_pool().set_threads(threads);
    const auto replicas = make_bitsliced_replicas(m, 2000, {XC_ISING_METROPOLIS, 4, 50}, kCpu, Control());
    replicas->randomize();
    replicas->set_betas({0, 0.1, 0.4, 1.5});
    const auto slot = alternating(2000, 4);
    for (int k = 0; k < 3; ++k) replicas->sweep(slot.data(), 7);
    return all_spins(*replicas, m.n);
  };
  const int before = thread_pool().threads();
  const auto one = run(1), three = run(3);
  thread_pool().set_threads(before);
  EXPECT_EQ(one, three);
}

TEST(BitslicedReplicasOnCpu, weights_of_no_common_unit_or_too_large_are_left_to_the_other_sampler) {
  Model m = testing_random_model(6, 10, 2, true, 3);
  EXPECT_TRUE(sliceable(m));
  for (double& w : m.couplings) w *= 40000;
  for (double& h : m.fields) h *= 40000;
  EXPECT_TRUE(sliceable(m));  // the unit is 40000
  m.fields[0] += 0.37;
  EXPECT_FALSE(sliceable(m));
  EXPECT_EQ(make_bitsliced_replicas(m, 1000, {}, kCpu, Control()), nullptr);
}
