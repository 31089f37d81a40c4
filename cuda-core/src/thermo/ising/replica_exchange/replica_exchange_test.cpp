#include "thermo/ising/replica_exchange/replica_exchange.hpp"

#include <cmath>

#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"
#include "thermo/ising/testing_models.hpp"

using namespace xcore;
using namespace xcore::thermo::ising;

namespace {


xc_ising_temper_options ladder_options(const std::vector<double>& betas, int chains, int64_t burn_in, int64_t rounds) {
  xc_ising_temper_options o{};
  o.betas = betas.data();
  o.slots = static_cast<int32_t>(betas.size());
  o.chains = chains;
  o.burn_in = burn_in;
  o.rounds = rounds;
  o.sweeps_per_round = 1;
  o.seed = 17;
  return o;
}

}  // namespace

class ReplicaExchange : public xcore::testing::BackendTest {};

TEST_P(ReplicaExchange, every_slot_samples_its_own_distribution_with_every_rule_move_and_ladder) {
  const Model m = testing_random_model(5, 7, 2, true, 31);
  const TestingOutside outside(m);
  const std::vector<double> betas{0, 0.2, 0.5, 0.9};
  for (const int variant : {0, 1, 2, 3, 4}) {
    auto o = ladder_options(betas, 12000, 40, 1);
    o.ladder = variant == 3 ? XC_ISING_LADDER_EQUAL_REJECTION : variant == 4 ? XC_ISING_LADDER_FEEDBACK : XC_ISING_LADDER_FIXED;
    o.adaptations = 2;
    o.rule = variant == 1 ? XC_ISING_HEAT_BATH : XC_ISING_METROPOLIS;
    o.cluster_moves = variant == 2;
    std::vector<double> readings(4 * XC_ISING_READINGS);
    std::vector<int8_t> spins(static_cast<size_t>(o.chains) * 4 * m.n);
    temper(outside.model, o, device(), {readings.data(), nullptr, nullptr, nullptr, spins.data(), nullptr}, Control());
    for (int k = 0; k < 4; ++k) {
      std::vector<double> counts(size_t{1} << m.n, 0);
      for (int c = 0; c < o.chains; ++c) {
        size_t state = 0;
        for (int32_t i = 0; i < m.n; ++i) state |= static_cast<size_t>(spins[(static_cast<size_t>(c) * 4 + k) * m.n + i] > 0) << i;
        ++counts[state];
      }
      testing_expect_chi_square(counts, testing_boltzmann(m, readings[k * XC_ISING_READINGS + XC_ISING_BETA]).probability,
                                "variant " + std::to_string(variant) + ", slot " + std::to_string(k));
    }
  }
}

TEST_P(ReplicaExchange, free_energies_and_mean_energies_are_those_of_enumeration) {
  const Model m = testing_random_model(12, 30, 2, true, 5);
  const TestingOutside outside(m);
  std::vector<double> betas;
  for (int k = 0; k < 12; ++k) betas.push_back(0.05 * k);
  auto o = ladder_options(betas, 64, 100, 2000);
  std::vector<double> readings(betas.size() * XC_ISING_READINGS);
  const auto result = temper(outside.model, o, device(), {readings.data(), nullptr, nullptr, nullptr, nullptr, nullptr}, Control());
  double worst = 0;
  for (size_t k = 1; k < betas.size(); ++k) {
    const auto exact = testing_boltzmann(m, betas[k]);
    const double* const row = readings.data() + k * XC_ISING_READINGS;
    ASSERT_GT(row[XC_ISING_LOG_PARTITION_ERROR], 0);
    EXPECT_LT(row[XC_ISING_LOG_PARTITION_ERROR], 0.05);
    worst = std::max(worst, std::fabs(row[XC_ISING_LOG_PARTITION] - exact.log_partition) / row[XC_ISING_LOG_PARTITION_ERROR]);
    EXPECT_NEAR(row[XC_ISING_LOG_PARTITION_TI], exact.log_partition, 5 * row[XC_ISING_LOG_PARTITION_TI_ERROR] + 2e-3);
    EXPECT_NEAR(row[XC_ISING_MEAN_ENERGY], exact.mean_energy, 5 * std::sqrt(row[XC_ISING_ENERGY_VARIANCE] / 20000));
  }
  EXPECT_LT(worst, 6);  // standard errors from 16 batches
  EXPECT_GT(result.round_trips, 500);
  EXPECT_NEAR(result.best_energy, testing_boltzmann(m, 1).least_energy, 1e-9);
}

TEST_P(ReplicaExchange, the_free_energy_of_the_square_lattice_is_kaufmans) {
  const Model m = testing_square_lattice(8, 8, 1);
  const TestingOutside outside(m);
  std::vector<double> betas;
  for (int k = 0; k < 14; ++k) betas.push_back(0.5 * k / 13);
  auto o = ladder_options(betas, 16, 200, 3000);
  std::vector<double> readings(betas.size() * XC_ISING_READINGS);
  temper(outside.model, o, device(), {readings.data(), nullptr, nullptr, nullptr, nullptr, nullptr}, Control());
  for (const size_t k : {6u, 13u}) {
    const double* const row = readings.data() + k * XC_ISING_READINGS;
    const double exact = testing_kaufman_log_partition(8, 8, betas[k]);
    EXPECT_NEAR(row[XC_ISING_LOG_PARTITION], exact, 5 * row[XC_ISING_LOG_PARTITION_ERROR]);
    EXPECT_NEAR(row[XC_ISING_LOG_PARTITION_TI], exact, 5 * row[XC_ISING_LOG_PARTITION_TI_ERROR] + 0.02);
  }
}

XC_INSTANTIATE_BACKENDS(ReplicaExchange);

TEST(ReplicaExchangeLadders, the_equal_rejection_ladder_makes_rejections_equal) {
  const Model m = testing_square_lattice(12, 12, 1);
  const TestingOutside outside(m);
  const std::vector<double> betas{0, 0.02, 0.04, 0.06, 0.1, 0.2, 0.35, 0.6};  // crowded where it is not needed
  const auto spread = [&](int adaptations) {
    auto o = ladder_options(betas, 8, 200, 1500);
    o.ladder = XC_ISING_LADDER_EQUAL_REJECTION;
    o.adaptations = adaptations;
    std::vector<double> readings(betas.size() * XC_ISING_READINGS);
    temper(outside.model, o, kCpu, {readings.data(), nullptr, nullptr, nullptr, nullptr, nullptr}, Control());
    double least = 1, most = 0;
    for (size_t k = 0; k + 1 < betas.size(); ++k) {
      const double r = 1 - readings[k * XC_ISING_READINGS + XC_ISING_SWAP_ACCEPTANCE];
      least = std::min(least, r);
      most = std::max(most, r);
    }
    EXPECT_EQ(readings[0], betas.front());
    EXPECT_NEAR(readings[(betas.size() - 1) * XC_ISING_READINGS], betas.back(), 1e-12);
    return most - least;
  };
  EXPECT_GT(spread(0), 0.5);
  EXPECT_LT(spread(5), 0.12);
}

TEST(ReplicaExchangeLadders, feedback_moves_temperatures_to_where_replicas_get_stuck) {
  // All of the fall of the upward fraction is between the third and the fourth temperature.
  const std::vector<double> betas{0, 1, 2, 3, 4, 5};
  const auto out = feedback_ladder(betas, {1, 1, 0.99, 0.01, 0, 0});
  int between = 0;
  for (const double b : out) between += b > 1.9 && b < 3.1;
  EXPECT_GE(between, 3);
  for (size_t k = 0; k + 1 < out.size(); ++k) EXPECT_LT(out[k], out[k + 1]);
}

TEST(ReplicaExchangeLadders, a_result_does_not_depend_on_the_number_of_threads) {
  const TestingOutside outside(testing_random_model(40, 80, 1, true, 12));
  const std::vector<double> betas{0.1, 0.3, 0.6, 1.0};
  auto o = ladder_options(betas, 20, 20, 50);
  o.cluster_moves = 1;
  o.ladder = XC_ISING_LADDER_FEEDBACK;
  o.adaptations = 2;
  const auto run = [&](int threads) {
    thread_pool().set_threads(threads);
    std::vector<double> energies(static_cast<size_t>(20) * 4 * 50), readings(4 * XC_ISING_READINGS);
    temper(outside.model, o, kCpu, {readings.data(), energies.data(), nullptr, nullptr, nullptr, nullptr}, Control());
    return energies;
  };
  const int before = thread_pool().threads();
  const auto one = run(1), three = run(3);
  thread_pool().set_threads(before);
  EXPECT_EQ(one, three);
}

TEST(ReplicaExchangeLadders, refuses_what_is_no_ladder) {
  const TestingOutside outside(testing_random_model(4, 4, 1, false, 1));
  for (const std::vector<double>& betas : {std::vector<double>{0.5}, {0.5, 0.4}, {-1, 0.4}, {0.1, INFINITY}, {0.1, NAN}}) {
    std::vector<double> readings(2 * XC_ISING_READINGS);
    const auto o = ladder_options(betas, 1, 1, 1);
    try {
      temper(outside.model, o, kCpu, {readings.data(), nullptr, nullptr, nullptr, nullptr, nullptr}, Control());
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.field, "betas");
    }
  }
}
