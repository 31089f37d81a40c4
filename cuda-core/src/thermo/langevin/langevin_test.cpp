#include "thermo/langevin/langevin.hpp"

#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::thermo;

namespace {

struct Ensemble {
  std::vector<double> potential, temperatures, mean_energy, heat_capacity, positions;
  LangevinCooling cooling{};

  Ensemble(double low, double high, int32_t points, const std::function<double(double)>& u, int64_t walkers, int32_t steps) {
    for (int32_t i = 0; i < points; ++i) potential.push_back(u(low + (high - low) * i / (points - 1)));
    temperatures.resize(steps);
    mean_energy.resize(steps);
    heat_capacity.resize(steps);
    positions.resize(walkers);
    cooling.low = low;
    cooling.high = high;
    cooling.points = points;
    cooling.steps = steps;
    cooling.substeps = 20;
    cooling.walkers = walkers;
    cooling.start = cooling.end = 1;
    cooling.speed = 0.05;
    cooling.max_change = 0.1;
    cooling.seed = 1;
  }
  void go(xc_device device) {
    cooling.potential = potential.data();
    cooling.temperatures = temperatures.data();
    cooling.mean_energy = mean_energy.data();
    cooling.heat_capacity = heat_capacity.data();
    cooling.positions = positions.data();
    langevin_cooling(cooling, device, Control());
  }
};

double double_well(double x) { return 2 * (x * x - 1) * (x * x - 1) + 0.3 * x; }

}  // namespace

class Langevin : public xcore::testing::BackendTest {};

TEST_P(Langevin, settles_into_the_boltzmann_distribution) {
  // The stationary solution of the Fokker-Planck equation is exp(-U / T): chi-square over 40 bins.
  Ensemble run(-2, 2, 401, double_well, 20000, 60);
  run.cooling.dt = 0.004;
  run.cooling.substeps = 20;
  run.go(device());
  constexpr int bins = 40;
  std::vector<double> expected(bins, 0), seen(bins, 0);
  double total = 0;
  for (int i = 0; i < bins * 100; ++i) {
    const double weight = std::exp(-double_well(-2 + 4.0 * (i + 0.5) / (bins * 100)));
    expected[i / 100] += weight;
    total += weight;
  }
  for (const double x : run.positions) seen[std::min(bins - 1, static_cast<int>((x + 2) / 4 * bins))] += 1;
  double chi = 0;
  int used = 0;
  for (int b = 0; b < bins; ++b) {
    const double e = expected[b] / total * run.positions.size();
    if (e < 10) continue;
    chi += (seen[b] - e) * (seen[b] - e) / e;
    ++used;
  }
  // 30-odd degrees of freedom; the Euler step's own bias (order dt) is inside the margin.
  EXPECT_LT(chi, used + 8 * std::sqrt(2.0 * used));
}

TEST_P(Langevin, spreads_freely_as_2_T_t) {
  Ensemble run(-1000, 1000, 2, [](double) { return 0.0; }, 20000, 1);
  run.cooling.start = run.cooling.end = 3;
  run.cooling.dt = 0.05;
  run.cooling.substeps = 200;
  std::vector<double> start(run.positions.size());
  run.go(device());
  double variance = 0;
  int64_t inside = 0;
  for (size_t w = 0; w < start.size(); ++w) {
    const double from = -1000 + 2000 * (w + 0.5) / start.size(), moved = run.positions[w] - from;
    if (std::fabs(from) > 900) continue;  // may have met a wall
    variance += moved * moved;
    ++inside;
  }
  EXPECT_NEAR(variance / inside, 2 * 3 * 10.0, 0.04 * 60);
}

TEST_P(Langevin, relaxes_in_a_harmonic_well_at_the_known_rate) {
  // Ornstein-Uhlenbeck: the variance at time t is T + (v0 - T) exp(-2 t), and a start spread over [-6, 6] has v0 = 12.
  Ensemble run(-6, 6, 6001, [](double x) { return 0.5 * x * x; }, 30000, 1);
  run.cooling.dt = 0.002;
  run.cooling.substeps = 350;  // t = 0.7
  run.go(device());
  double variance = 0;
  for (const double x : run.positions) variance += x * x / run.positions.size();
  EXPECT_NEAR(variance, 1 + 11 * std::exp(-1.4), 0.12);
}

TEST_P(Langevin, cools_slower_where_the_energy_changes_more_with_temperature) {
  Ensemble run(-2, 2, 401, double_well, 4000, 200);
  run.cooling.start = 5;
  run.cooling.end = 0.05;
  run.go(device());
  EXPECT_EQ(run.temperatures[0], 5);
  for (int k = 1; k < 200; ++k) {
    ASSERT_LE(run.temperatures[k], run.temperatures[k - 1]);
    ASSERT_GE(run.temperatures[k], 0.05);
    const double c = run.heat_capacity[k - 1], change = std::log(run.temperatures[k - 1] / run.temperatures[k]);
    if (run.temperatures[k] > 0.05) {
      ASSERT_NEAR(change, std::min(0.1, 0.05 / std::sqrt(c)), 1e-9);
    }
  }
}

TEST_P(Langevin, a_quadratic_minimum_has_the_heat_capacity_of_equipartition) {
  Ensemble run(-2, 2, 401, [](double x) { return 3 * x * x; }, 20000, 20);
  run.cooling.dt = 0.002;
  run.cooling.substeps = 50;
  run.cooling.start = run.cooling.end = 0.2;
  run.go(device());
  EXPECT_NEAR(run.heat_capacity[19], 0.5, 0.04);
  EXPECT_NEAR(run.mean_energy[19], 0.1, 0.004);
}

TEST_P(Langevin, refuses_what_makes_no_sense) {
  const auto refused = [&](const char* field, const std::function<void(LangevinCooling&)>& spoil) {
    Ensemble run(-1, 1, 3, [](double x) { return x; }, 16, 4);
    spoil(run.cooling);
    try {
      run.go(device());
      FAIL() << field;
    } catch (const Error& e) {
      EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
      EXPECT_EQ(e.field, field);
    }
  };
  refused("range", [](LangevinCooling& c) { c.high = c.low; });
  refused("start", [](LangevinCooling& c) { c.end = 0; });
  refused("start", [](LangevinCooling& c) { c.start = NAN; });
  refused("steps", [](LangevinCooling& c) { c.steps = 0; });
  refused("walkers", [](LangevinCooling& c) { c.walkers = 1; });
  refused("dt", [](LangevinCooling& c) { c.dt = -1; });
  refused("speed", [](LangevinCooling& c) { c.speed = 0; });
  Ensemble run(-1, 1, 3, [](double) { return NAN; }, 16, 4);
  EXPECT_THROW(run.go(device()), Error);
}

XC_INSTANTIATE_BACKENDS(Langevin);

TEST(LangevinThreads, give_the_same_bits_on_one_and_on_many) {
  std::vector<double> temperatures[2];
  const int before = thread_pool().threads();
  for (const int threads : {1, 3}) {
    thread_pool().set_threads(threads);
    Ensemble run(-2, 2, 401, double_well, 3000, 30);
    run.cooling.start = 3;
    run.cooling.end = 0.1;
    run.go(kCpu);
    temperatures[threads > 1] = run.temperatures;
  }
  thread_pool().set_threads(before);
  EXPECT_EQ(temperatures[0], temperatures[1]);
}

TEST(LangevinCuda, cools_as_the_cpu_does) {
  if (cuda_device_count() == 0) GTEST_SKIP() << "SKIPPED BACKEND cuda: " << cuda_unavailable_reason();
  Ensemble cpu(-2, 2, 401, double_well, 20000, 100), gpu = cpu;
  cpu.cooling.start = gpu.cooling.start = 4;
  cpu.cooling.end = gpu.cooling.end = 0.1;
  cpu.go(kCpu);
  gpu.go(cuda_device(0));
  // The dynamics are chaotic in the last bit only; ensemble averages agree within their statistical error.
  for (int k = 0; k < 100; ++k) EXPECT_NEAR(gpu.temperatures[k], cpu.temperatures[k], 0.03 * cpu.temperatures[k]);
}
