#include "thermo/ising/population_annealing/population_annealing.hpp"

#include <cmath>

#include "testing/backend.hpp"
#include "thermo/ising/testing_models.hpp"

using namespace xcore;
using namespace xcore::thermo::ising;

namespace {

struct PathRun {
  std::vector<double> readings, energies, works;
  std::vector<int8_t> spins;
  xc_ising_population_result result;
  PathRun(const Model& m, const std::vector<double>& betas, int replicas, bool resample, int sweeps, int first_sweeps,
          xc_device device, uint64_t seed, int32_t rule = XC_ISING_METROPOLIS)
      : readings(betas.size() * XC_ISING_STEP_READINGS), energies(replicas), works(replicas),
        spins(static_cast<size_t>(replicas) * m.n) {
    const TestingOutside outside(m);
    xc_ising_population_options o{};
    o.betas = betas.data();
    o.steps = static_cast<int32_t>(betas.size());
    o.replicas = replicas;
    o.sweeps_per_step = sweeps;
    o.first_sweeps = first_sweeps;
    o.resample = resample;
    o.rule = rule;
    o.seed = seed;
    result = anneal_population(outside.model, o, device, {readings.data(), energies.data(), works.data(), spins.data(), nullptr}, Control());
  }
  double last(int reading) const { return readings[readings.size() - XC_ISING_STEP_READINGS + reading]; }
};

std::vector<double> path(double from, double to, int steps) {
  std::vector<double> out;
  for (int k = 0; k < steps; ++k) out.push_back(from + (to - from) * k / (steps - 1));
  return out;
}

}  // namespace

class PopulationAnnealing : public xcore::testing::BackendTest {};

TEST_P(PopulationAnnealing, the_population_ends_in_the_boltzmann_distribution_with_its_free_energy) {
  const Model m = testing_random_model(6, 11, 2, true, 41);
  const PathRun run(m, path(0, 0.6, 31), 40000, true, 8, 1, device(), 3);
  const auto exact = testing_boltzmann(m, 0.6);
  std::vector<double> counts(64, 0);
  for (int r = 0; r < 40000; ++r) {
    size_t state = 0;
    for (int32_t i = 0; i < m.n; ++i) state |= static_cast<size_t>(run.spins[static_cast<size_t>(r) * m.n + i] > 0) << i;
    ++counts[state];
  }
  testing_expect_chi_square(counts, exact.probability, "population");
  EXPECT_NEAR(run.last(XC_ISING_STEP_LOG_PARTITION), exact.log_partition, 0.03);
  EXPECT_GT(run.last(XC_ISING_STEP_FAMILIES), 1000);
  EXPECT_GE(run.last(XC_ISING_STEP_RHO), 1);
  EXPECT_LE(run.last(XC_ISING_STEP_FAMILY_ENTROPY), std::log(40000.0) + 1e-9);
}

TEST_P(PopulationAnnealing, jarzynskis_equality_holds_on_a_fast_path_and_the_mean_work_exceeds_the_free_energy) {
  const Model m = testing_random_model(8, 14, 1, true, 42);
  const PathRun run(m, path(0, 0.7, 6), 60000, false, 1, 1, device(), 4);
  const double exact = testing_boltzmann(m, 0.7).log_partition - 8 * std::log(2.0);
  double mean = 0, weight = 0, squares = 0;
  for (const double w : run.works) {
    mean += w / 60000;
    weight += std::exp(-w) / 60000;
    squares += std::exp(-2 * w) / 60000;
  }
  const double error = std::sqrt((squares - weight * weight) / 60000) / weight;
  EXPECT_NEAR(std::log(weight), exact, 5 * error);
  EXPECT_NEAR(run.last(XC_ISING_STEP_LOG_PARTITION) - 8 * std::log(2.0), std::log(weight), 1e-9);
  EXPECT_GT(mean, -exact + 0.2);  // <W> >= Delta F, with dissipation far beyond the noise of a fast path
}

TEST_P(PopulationAnnealing, crooks_relation_holds_between_the_path_and_its_reverse) {
  // P(W) / P_reverse(-W) = exp(W - dF): the histograms of forward and reversed work cross where W = dF, and their log
  // ratio has slope 1.
  const Model m = testing_random_model(8, 14, 1, true, 43);
  const double dF = -(testing_boltzmann(m, 0.6).log_partition - testing_boltzmann(m, 0.1).log_partition);
  // Time reversal also turns the order of a sweep: the spins of the reversed path are numbered backwards. That is the reverse where
  // sweeps go in index order, as they do spin by spin; bit-sliced ones on a GPU go by colours.
  std::vector<Edge> edges;
  std::vector<double> fields;
  for (int32_t i = 0; i < m.n; ++i) {
    fields.push_back(m.fields[m.n - 1 - i]);
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
      if (m.neighbours[k] > i) edges.push_back({m.n - 1 - i, m.n - 1 - m.neighbours[k], m.couplings[k]});
  }
  const Model backwards = build_model(m.n, edges, fields);
  const int32_t rule = device().kind == XC_DEVICE_CPU ? XC_ISING_METROPOLIS : XC_ISING_HEAT_BATH;
  const PathRun forward(m, {0.1, 0.35, 0.6}, 200000, false, 1, 60, device(), 5, rule);
  const PathRun reverse(backwards, {0.6, 0.35, 0.1}, 200000, false, 1, 60, device(), 6, rule);
  const double width = 0.4;
  int compared = 0;
  for (int bin = -12; bin <= 12; ++bin) {
    const double low = dF + bin * width, high = low + width;
    double a = 0, b = 0, tilt = 0;
    for (const double w : forward.works)
      if (w >= low && w < high) a += 1, tilt += std::exp(-(w - dF));
    for (const double w : reverse.works)
      if (-w > low - 1e-12 && -w < high - 1e-12) b += 1;
    if (a < 400 || b < 400) continue;
    ++compared;
    // Within a bin: sum over forward works of exp(-(W - dF)) estimates the reverse count.
    EXPECT_NEAR(std::log(tilt / b), 0, 5 * std::sqrt(1 / a + 1 / b) + 0.01) << "bin " << bin;
  }
  EXPECT_GE(compared, 3);
}

XC_INSTANTIATE_BACKENDS(PopulationAnnealing);
