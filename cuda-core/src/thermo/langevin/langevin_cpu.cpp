#include <algorithm>
#include <vector>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/langevin/langevin.hpp"

namespace xcore::thermo {

namespace {

constexpr double kWorkPaysFrom = 2e6;  // walkers x integration steps

double steepest(const LangevinCooling& run) {
  double most = 0;
  for (int32_t i = 0; i + 1 < run.points; ++i)
    most = std::max(most, std::fabs(run.potential[i + 1] - run.potential[i]) * (run.points - 1) / (run.high - run.low));
  return most;
}

// A kick of the hottest temperature and a slide down the steepest slope stay within a twentieth of the range.
double safe_step(const LangevinCooling& run) {
  const double reach = (run.high - run.low) / 20, slope = steepest(run);
  const double by_kick = reach * reach / (2 * run.start);
  return slope > 0 ? std::min(by_kick, reach / slope) : by_kick;
}

void check(const LangevinCooling& r) {
  const auto need = [](bool fine, const char* field, const char* what) {
    if (!fine) throw invalid_argument(field, "%s", what);
  };
  need(r.potential && r.points >= 2 && r.points <= 1 << 20, "potential", "the potential needs 2 to 2^20 points");
  for (int32_t i = 0; i < r.points; ++i)
    if (!std::isfinite(r.potential[i])) throw invalid_argument("potential", "point %d of the potential is %g", i, r.potential[i]);
  need(std::isfinite(r.low) && std::isfinite(r.high) && r.low < r.high, "range", "the range must be finite and not empty");
  need(r.end > 0 && std::isfinite(r.start) && r.start >= r.end, "start", "temperatures must be finite, start >= end > 0");
  need(r.steps >= 1 && r.steps <= 1000000, "steps", "there must be 1 to 1,000,000 steps");
  need(r.substeps >= 1 && r.substeps <= 10000, "substeps", "there must be 1 to 10,000 substeps");
  need(r.walkers >= 2 && r.walkers <= int64_t{1} << 24, "walkers", "there must be 2 to 2^24 walkers");
  need(r.dt >= 0 && std::isfinite(r.dt), "dt", "dt must be finite, and 0 or more");
  need(r.speed > 0 && std::isfinite(r.speed), "speed", "speed must be above 0 and finite");
  need(r.max_change > 0 && std::isfinite(r.max_change), "maxChange", "maxChange must be above 0 and finite");
  need(r.temperatures && r.mean_energy && r.heat_capacity, "temperatures", "an array is missing");
}

}  // namespace

Landscape landscape(const LangevinCooling& run) {
  const auto [least, most] = std::minmax_element(run.potential, run.potential + run.points);
  const double range = *most - *least;
  return {run.potential, run.points, run.low, run.high - run.low, *least, range > 0 ? 1 / range : 0};
}

double cool(const LangevinCooling& run, const Landscape& l, const EnergySums& sums, int32_t step, double temperature) {
  const double n = static_cast<double>(run.walkers) * 0x1p32;
  const double mean = static_cast<double>(sums.energy) / n;
  const double variance = std::max(0.0, static_cast<double>(sums.square) / n - mean * mean);
  const double unit = l.scale > 0 ? 1 / l.scale : 0;
  const double capacity = variance * unit * unit / (temperature * temperature);
  run.temperatures[step] = temperature;
  run.mean_energy[step] = l.lowest + mean * unit;
  run.heat_capacity[step] = capacity;
  const double change = capacity > 0 ? std::min(run.max_change, run.speed / std::sqrt(capacity)) : run.max_change;
  return std::max(run.end, temperature * std::exp(-change));
}

void langevin_cooling_cpu(const LangevinCooling& run, const Control& control) {
  const Landscape l = landscape(run);
  std::vector<double> x(run.walkers);
  for (int64_t w = 0; w < run.walkers; ++w) x[w] = first_position(l, w, run.walkers);
  constexpr int64_t grain = 256;
  std::vector<EnergySums> parts((run.walkers + grain - 1) / grain);
  double temperature = run.start;
  for (int32_t step = 0; step < run.steps; ++step) {
    control.throw_if_cancelled();
    thread_pool().parallel_for(static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        EnergySums sums{0, 0};
        for (int64_t w = p * grain; w < std::min(run.walkers, (p + 1) * grain); ++w) {
          x[w] = langevin_walk(l, x[w], temperature, run.dt, run.substeps, run.seed, w, step);
          const EnergySums own = energy_quanta(l, x[w]);
          sums.energy += own.energy;
          sums.square += own.square;
        }
        parts[p] = sums;
      }
    });
    EnergySums all{0, 0};
    for (const EnergySums& p : parts) {
      all.energy += p.energy;
      all.square += p.square;
    }
    temperature = cool(run, l, all, step, temperature);
    control.progress(step + 1, run.steps);
  }
  if (run.positions) std::copy(x.begin(), x.end(), run.positions);
}

void langevin_cooling(const LangevinCooling& given, xc_device device, const Control& control) {
  check(given);
  LangevinCooling run = given;
  if (run.dt == 0) run.dt = safe_step(run);
  const double work = static_cast<double>(run.walkers) * run.steps * run.substeps;
  run_on(
      device, work >= kWorkPaysFrom && run.walkers >= 4096, "thermo.langevin",
      [&](auto index) {
#if XCORE_CUDA
        langevin_cooling_cuda(run, index, control);
#else
        (void)index;
        throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
#endif
      },
      [&] { langevin_cooling_cpu(run, control); });
}

}  // namespace xcore::thermo
