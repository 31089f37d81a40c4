#include "thermo/ising/population_annealing/population_annealing.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "runtime/device.hpp"
#include "runtime/philox.hpp"
#include "thermo/ising/replicas/replicas.hpp"

namespace xcore::thermo::ising {

namespace {

void validate(const xc_ising_population_options& o) {
  if (o.steps < 1 || o.steps > 1 << 20) throw invalid_argument("betas", "a path of %d temperatures; 1 to 2^20 are possible", o.steps);
  if (o.replicas < 1 || o.replicas > 1 << 22) throw invalid_argument("replicas", "replicas is %d; it must be 1 to 2^22", o.replicas);
  if (!o.betas) throw invalid_argument("betas", "an array is missing");
  for (int k = 0; k < o.steps; ++k)
    if (!(o.betas[k] >= 0 && std::isfinite(o.betas[k])))
      throw invalid_argument("betas", "beta %d is %g; betas must be finite and not negative", k, o.betas[k]);
  if (o.sweeps_per_step < 0 || o.first_sweeps < 0)
    throw invalid_argument("sweepsPerStep", "sweeps must not be negative");
  if (o.rule != XC_ISING_METROPOLIS && o.rule != XC_ISING_HEAT_BATH)
    throw invalid_argument("rule", "rule %d does not exist", o.rule);
}

// Systematic resampling: one uniform number, evenly spaced pointers, so each replica gets its expected number of copies
// rounded up or down. The weights need not be normalised.
std::vector<int32_t> systematic_resampling(const std::vector<double>& weights, double uniform) {
  double total = 0;
  for (const double w : weights) total += w;
  std::vector<int32_t> from(weights.size());
  double reached = weights[0];
  size_t source = 0;
  for (size_t r = 0; r < weights.size(); ++r) {
    const double pointer = (static_cast<double>(r) + uniform) / static_cast<double>(weights.size()) * total;
    while (reached <= pointer && source + 1 < weights.size()) reached += weights[++source];
    from[r] = static_cast<int32_t>(source);
  }
  return from;
}

}  // namespace

xc_ising_population_result anneal_population(const xc_ising_model& outside, const xc_ising_population_options& o,
                                             xc_device device, const PopulationOutputs& out, const Control& control) {
  const auto start = std::chrono::steady_clock::now();
  const Model model = checked_model(outside);
  validate(o);
  if (!out.readings) throw invalid_argument("readings", "an array is missing");
  const int64_t count = o.replicas;
  const xc_device chosen = resolve_device(device, replicas_pay(model, count), "thermo.ising_population");
  const auto replicas = make_replicas(model, count, {o.rule, o.seed, 0}, chosen, control);
  replicas->randomize();
  replicas->set_betas(std::vector<double>(o.betas, o.betas + o.steps));
  Philox random(o.seed, uint64_t{1} << 42);

  std::vector<int32_t> slot(count, 0), family(count);
  for (int64_t r = 0; r < count; ++r) family[r] = static_cast<int32_t>(r);
  std::vector<double> works(count, 0.0), weights(count);
  std::vector<int64_t> size(count);
  std::vector<int8_t> best(model.n);
  double best_energy = INFINITY, log_partition = o.betas[0] == 0 ? model.n * std::log(2.0) : 0;
  int64_t updates = 0;
  for (int k = 0; k < o.steps; ++k) {
    control.throw_if_cancelled();
    if (k > 0) {
      const double step = o.betas[k] - o.betas[k - 1];
      const double* const energy = replicas->energies();
      double lowest = INFINITY;
      for (int64_t r = 0; r < count; ++r) {
        works[r] += step * energy[r];
        lowest = std::min(lowest, o.resample ? step * energy[r] : works[r]);
      }
      double total = 0;
      for (int64_t r = 0; r < count; ++r) total += weights[r] = std::exp(lowest - (o.resample ? step * energy[r] : works[r]));
      const double log_mean = std::log(total / static_cast<double>(count)) - lowest;
      if (o.resample) {
        log_partition += log_mean;
        const auto from = systematic_resampling(weights, random.next_double());
        replicas->resample(from.data());
        std::vector<int32_t> families(count);
        std::vector<double> carried(count);
        for (int64_t r = 0; r < count; ++r) families[r] = family[from[r]], carried[r] = works[from[r]];
        family.swap(families);
        works.swap(carried);
      } else {
        log_partition = (o.betas[0] == 0 ? model.n * std::log(2.0) : 0) + log_mean;
      }
      std::fill(slot.begin(), slot.end(), k);
    }
    const int64_t sweeps = k == 0 ? o.first_sweeps : o.sweeps_per_step;
    if (sweeps > 0) replicas->sweep(slot.data(), sweeps);
    updates += sweeps * count * model.n;

    const double* const energy = replicas->energies();
    double mean = 0;
    for (int64_t r = 0; r < count; ++r) mean += energy[r] / static_cast<double>(count);
    const auto least = static_cast<int32_t>(std::min_element(energy, energy + count) - energy);
    if (energy[least] < best_energy) {
      replicas->read(&least, 1, best.data());
      best_energy = model.energy(best.data());
    }
    std::fill(size.begin(), size.end(), 0);
    for (const int32_t f : family) ++size[f];
    double families = 0, squares = 0, entropy = 0;
    for (const int64_t s : size) {
      if (s == 0) continue;
      const double part = static_cast<double>(s) / static_cast<double>(count);
      families += 1;
      squares += part * static_cast<double>(s);
      entropy -= part * std::log(part);
    }
    double* const row = out.readings + static_cast<int64_t>(k) * XC_ISING_STEP_READINGS;
    row[XC_ISING_STEP_BETA] = o.betas[k];
    row[XC_ISING_STEP_MEAN_ENERGY] = mean;
    row[XC_ISING_STEP_LOG_PARTITION] = log_partition;
    row[XC_ISING_STEP_FAMILIES] = families;
    row[XC_ISING_STEP_RHO] = squares;
    row[XC_ISING_STEP_FAMILY_ENTROPY] = entropy;
    control.progress(k + 1, o.steps);
  }
  if (out.energies) std::copy(replicas->energies(), replicas->energies() + count, out.energies);
  if (out.works) std::copy(works.begin(), works.end(), out.works);
  if (out.spins) {
    std::vector<int32_t> all(count);
    std::iota(all.begin(), all.end(), 0);
    replicas->read(all.data(), count, out.spins);
  }
  if (out.best) std::copy(best.begin(), best.end(), out.best);
  xc_ising_population_result result{};
  result.best_energy = best_energy;
  result.spin_updates = updates;
  result.time_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.device = chosen;
  return result;
}

}  // namespace xcore::thermo::ising
