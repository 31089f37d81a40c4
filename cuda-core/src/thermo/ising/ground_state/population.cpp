#include "thermo/ising/ground_state/population.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xcore::thermo::ising {

namespace {

// Sums of 16 binary planes: the weight of all bonds of a spin must stay below 2^15.
int32_t largest_digit(const Model& m) {
  int64_t degree = 1;
  for (int32_t i = 0; i < m.n; ++i) degree = std::max(degree, m.offsets[i + 1] - m.offsets[i] + 1);
  return static_cast<int32_t>(std::clamp<int64_t>((1 << 15) / degree, 1, 64));
}

}  // namespace

SearchPlan plan_search(const Model& m) {
  double squares = 0, sum = 0;
  for (const double w : m.couplings) squares += w * w, sum += std::fabs(w);
  const double scale = m.couplings.empty() ? 1 : std::sqrt(squares / m.n);
  const double typical = m.couplings.empty() ? 1 : sum / static_cast<double>(m.couplings.size());
  SearchPlan plan;
  // Found by measurement on graphs like those of the Gset; see bench/results/thermo-ising.md.
  plan.hot = 0.8 * scale;
  plan.reheat = 0.35 * scale;
  plan.cold = std::min(0.4 * typical, plan.reheat);
  plan.first_sweeps = 200;
  plan.sweeps = 300;
  plan.mating = 0.05;
  plan.replaced = 50;
  plan.patience = 30;
  return plan;
}

SearchSpace::SearchSpace(const Model& m)
    : model(m), integers(to_integers(m, largest_digit(m))), program(compile_bitsliced(integers)), plan(plan_search(m)) {}

Population::Population(const SearchSpace& space, uint64_t seed, uint64_t stream)
    : space_(space), crossover_(space.model), lanes_random_(seed, 2 * stream), random_(seed, 2 * stream + 1),
      rows_(space.model.n + 1), scratch_(space.program.scratch_rows),
      lineages_(new int8_t[static_cast<size_t>(kLanes) * space.model.n]), energies_(kLanes), best_(space.model.n, 1),
      current_(space.model.n), best_energy_(INFINITY), era_best_(INFINITY) {}

void Population::seed_with(const int8_t* spins) { start_.assign(spins, spins + space_.model.n); }

void Population::extract(int lane, int8_t* spins) const {
  const int word = lane >> 5, bit = lane & 31;
  for (int32_t i = 0; i < space_.model.n; ++i) spins[i] = static_cast<int8_t>(2 * (rows_[i].word[word] >> bit & 1) - 1);
}

void Population::insert() {
  const int32_t n = space_.model.n;
  for (int32_t i = 0; i < n; ++i)
    for (int w = 0; w < kLaneWords; ++w) {
      uint32_t bits = 0;
      const int8_t* spin = lineages_.get() + static_cast<int64_t>(32 * w) * n + i;
      for (int b = 0; b < 32; ++b, spin += n) bits |= static_cast<uint32_t>(*spin > 0) << b;
      rows_[i].word[w] = bits;
    }
}

void Population::take(int lane, bool annealed) {
  int8_t* const spins = lineage(lane);
  if (lane == 0 && !start_.empty()) {
    std::copy(start_.begin(), start_.end(), spins);
    start_.clear();
    annealed = false;
  } else {
    extract(lane, spins);
  }
  // The end of an annealing is a descent already, in the weights of the integer model.
  if (!annealed || !space_.integers.exact) descend(space_.model, spins);
  energies_[lane] = space_.model.energy(spins);
}

void Population::replace_worst() {
  std::vector<int> order(kLanes);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int a, int b) { return energies_[a] != energies_[b] ? energies_[a] > energies_[b] : a < b; });
  for (int k = 0; k < space_.plan.replaced; ++k) {
    const int from = order[kLanes / 2 + random_.next_below(kLanes / 2)];
    std::copy(lineage(from), lineage(from) + space_.model.n, lineage(order[k]));
    energies_[order[k]] = energies_[from];
  }
}

void Population::note_best() {
  const int r = static_cast<int>(std::min_element(energies_.begin(), energies_.end()) - energies_.begin());
  // Sums of changes carry rounding; the energy that is told is always computed from the spins.
  if (energies_[r] < era_best_) {
    energies_[r] = space_.model.energy(lineage(r));
    era_best_ = energies_[r];
    stagnant_ = 0;
  } else if (++stagnant_ >= space_.plan.patience) {
    fresh_ = true;
  }
  if (energies_[r] < best_energy_) {
    best_energy_ = energies_[r];
    std::copy(lineage(r), lineage(r) + space_.model.n, best_.begin());
  }
}

}  // namespace xcore::thermo::ising
