#include "thermo/ising/single_spin/single_spin.hpp"

#include <cmath>
#include <numeric>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"
#include "thermo/ising/single_spin/wavefront.hpp"
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

std::vector<double> state_counts(Replicas& replicas, int32_t n, int64_t first = 0, int64_t stride = 1) {
  const std::vector<int8_t> spins = all_spins(replicas, n);
  std::vector<double> counts(size_t{1} << n, 0);
  for (int64_t r = first; r < replicas.count(); r += stride) {
    size_t state = 0;
    for (int32_t i = 0; i < n; ++i) state |= static_cast<size_t>(spins[r * n + i] > 0) << i;
    ++counts[state];
  }
  return counts;
}

Model real_weights(Model m) {
  for (int32_t i = 0; i < m.n; ++i)
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) m.couplings[k] *= 0.37;
  for (double& h : m.fields) h *= 0.71;
  return m;
}

}  // namespace

class SingleSpin : public xcore::testing::BackendTest {};

TEST_P(SingleSpin, both_rules_sample_the_boltzmann_distribution) {
  for (const int32_t rule : {XC_ISING_METROPOLIS, XC_ISING_HEAT_BATH}) {
    for (const bool integers : {true, false}) {
      Model m = testing_random_model(6, 10, 2, true, 3);
      if (!integers) m = real_weights(m);
      const auto replicas = make_single_spin_replicas(m, 40000, {rule, 5, 1000}, device(), Control());
      replicas->randomize();
      replicas->set_betas({0.15, 0.5});
      std::vector<int32_t> slot(replicas->count());
      for (size_t r = 0; r < slot.size(); ++r) slot[r] = static_cast<int32_t>(r % 2);
      replicas->sweep(slot.data(), 80);
      for (const int s : {0, 1})
        testing_expect_chi_square(state_counts(*replicas, m.n, s, 2), testing_boltzmann(m, s ? 0.5 : 0.15).probability,
                                  std::string(rule ? "heat bath" : "Metropolis") + (integers ? ", integers" : ", reals"));
    }
  }
}

TEST_P(SingleSpin, the_limits_of_temperature_are_kept) {
  const Model m = testing_random_model(6, 10, 2, true, 3);
  for (const int32_t rule : {XC_ISING_METROPOLIS, XC_ISING_HEAT_BATH}) {
    const auto replicas = make_single_spin_replicas(m, 20000, {rule, 6, 0}, device(), Control());
    replicas->randomize();
    replicas->set_betas({0});
    const std::vector<int32_t> slot(replicas->count(), 0);
    replicas->sweep(slot.data(), 7);
    testing_expect_chi_square(state_counts(*replicas, m.n), std::vector<double>(64, 1.0 / 64), "beta 0");
    replicas->set_betas({INFINITY});
    std::vector<double> before(replicas->energies(), replicas->energies() + replicas->count());
    replicas->sweep(slot.data(), 5);
    const double* const after = replicas->energies();
    for (int64_t r = 0; r < replicas->count(); ++r) ASSERT_LE(after[r], before[r]);
  }
}

TEST_P(SingleSpin, energies_follow_the_spins_through_sweeps_resampling_and_cluster_moves) {
  const Model m = real_weights(testing_random_model(30, 60, 2, true, 8));
  const auto replicas = make_single_spin_replicas(m, 50, {XC_ISING_METROPOLIS, 6, 0}, device(), Control());
  replicas->randomize();
  replicas->set_betas({0.5});
  const std::vector<int32_t> slot(50, 0);
  const auto check = [&](const char* what) {
    const std::vector<int8_t> spins = all_spins(*replicas, m.n);
    const double* const energy = replicas->energies();
    for (int r = 0; r < 50; ++r) EXPECT_NEAR(energy[r], m.energy(spins.data() + r * m.n), 1e-9) << what;
  };
  replicas->sweep(slot.data(), 33);
  check("sweeps");
  std::vector<int32_t> from(50), pairs;
  for (int r = 0; r < 50; ++r) from[r] = (r * 7 + 3) % 50;
  replicas->resample(from.data());
  check("resampling");
  for (int r = 0; r < 50; ++r) pairs.push_back(r);
  const double* const energy = replicas->energies();
  std::vector<double> sums;
  for (int r = 0; r < 50; r += 2) sums.push_back(energy[r] + energy[r + 1]);
  replicas->exchange_clusters(pairs.data(), 25);
  check("cluster moves");
  const double* const exchanged = replicas->energies();
  for (int r = 0; r < 50; r += 2) EXPECT_NEAR(exchanged[r] + exchanged[r + 1], sums[r / 2], 1e-9);
}

TEST_P(SingleSpin, cluster_moves_keep_the_distribution) {
  const Model m = testing_random_model(6, 7, 1, true, 21);
  const auto replicas = make_single_spin_replicas(m, 40000, {XC_ISING_HEAT_BATH, 9, 0}, device(), Control());
  replicas->randomize();
  replicas->set_betas({0.6});
  const std::vector<int32_t> slot(replicas->count(), 0);
  std::vector<int32_t> pairs;
  for (int32_t r = 0; r < 40000; ++r) pairs.push_back(r);
  replicas->sweep(slot.data(), 60);
  for (int k = 0; k < 20; ++k) replicas->exchange_clusters(pairs.data(), 20000);
  testing_expect_chi_square(state_counts(*replicas, m.n, 0, 2), testing_boltzmann(m, 0.6).probability, "cluster moves");
}

TEST_P(SingleSpin, replicas_are_read_and_summed_in_any_order_and_flips_are_counted_by_temperature) {
  const Model m = testing_random_model(70, 150, 2, true, 41);
  const auto replicas = make_single_spin_replicas(m, 77, {XC_ISING_METROPOLIS, 3, 0}, device(), Control());
  replicas->randomize();
  replicas->set_betas({0, INFINITY});
  std::vector<int32_t> slot(77), order(77), sums(77);
  for (int r = 0; r < 77; ++r) slot[r] = r % 2, order[r] = (r * 30 + 11) % 77;
  replicas->sweep(slot.data(), 20);
  std::vector<uint64_t> flips(2);
  replicas->take_flips(flips.data());
  EXPECT_NEAR(static_cast<double>(flips[0]), 39 * 20 * 70 / 2.0, 6 * std::sqrt(39 * 20 * 70 / 4.0));  // coins
  const std::vector<int8_t> in_order = all_spins(*replicas, m.n);
  std::vector<int8_t> permuted(in_order.size());
  replicas->read(order.data(), 77, permuted.data());
  replicas->sums_of_spins(order.data(), 77, sums.data());
  for (int r = 0; r < 77; ++r) {
    const int8_t* const expected = in_order.data() + static_cast<int64_t>(order[r]) * m.n;
    EXPECT_TRUE(std::equal(expected, expected + m.n, permuted.data() + static_cast<int64_t>(r) * m.n)) << "replica " << order[r];
    EXPECT_EQ(sums[r], std::accumulate(expected, expected + m.n, 0));
  }
  replicas->take_flips(flips.data());
  EXPECT_EQ(flips[0] + flips[1], 0u);
  replicas->sweep(slot.data(), 5);
  replicas->take_flips(flips.data());
  EXPECT_GT(flips[0], 2 * flips[1]);  // at temperature zero only spins without a local field still flip
}

XC_INSTANTIATE_BACKENDS(SingleSpin);

TEST(SingleSpinWavefront, updating_level_by_level_is_updating_in_index_order) {
  for (const Model& m : {testing_random_model(200, 900, 1, false, 5), testing_square_lattice(7, 9, 1)}) {
    const Wavefront w = wavefront(m);
    std::vector<int32_t> level(m.n, -1);
    for (int l = 0; l < w.levels(); ++l)
      for (int32_t at = w.starts[l]; at < w.starts[l + 1]; ++at) level[w.order[at]] = l;
    EXPECT_EQ(w.starts.back(), m.n);
    EXPECT_LT(w.levels(), m.n / 3);
    for (int32_t i = 0; i < m.n; ++i) {
      ASSERT_GE(level[i], 0);
      for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) ASSERT_EQ(level[m.neighbours[k]] < level[i], m.neighbours[k] < i);
    }
  }
}

TEST(SingleSpinDevices, integer_models_give_the_same_bits_on_every_device_and_number_of_threads) {
  const Model m = testing_random_model(50, 150, 3, true, 2);
  std::vector<int32_t> slot(100);
  for (int r = 0; r < 100; ++r) slot[r] = r % 3;
  const auto run = [&](xc_device device) {
    const auto replicas = make_single_spin_replicas(m, 100, {XC_ISING_METROPOLIS, 4, 50}, device, Control());
    replicas->randomize();
    replicas->set_betas({0.1, 0.4, 1.5});
    replicas->sweep(slot.data(), 20);
    return all_spins(*replicas, m.n);
  };
  const int before = thread_pool().threads();
  thread_pool().set_threads(1);
  const auto one = run(kCpu);
  thread_pool().set_threads(3);
  EXPECT_EQ(one, run(kCpu));
  thread_pool().set_threads(before);
  if (cuda_device_count() > 0) {
    EXPECT_EQ(one, run(cuda_device(0)));
  }
}
