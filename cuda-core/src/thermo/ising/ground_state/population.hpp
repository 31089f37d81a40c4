// A population of 512 lineages that anneal again and again and keep the best of what they find.
//
// A round reheats every lineage to a moderate temperature, anneals it with the bit-sliced kernel, and crosses the state
// that comes out with the lineage's own best: component by component the better part survives, so a lineage never gets
// worse and loses nothing of what it had. A few lineages a round also mate with another one, and the worst are replaced.
// When the population has not improved for a while it starts anew.
//
// Everything a population does follows from (seed, stream); it runs on one thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "thermo/ising/bitsliced/bitsliced.hpp"
#include "thermo/ising/crossover/partition_crossover.hpp"

namespace xcore::thermo::ising {

// Temperatures are in units of the typical local field, sqrt(mean_i sum_j J_ij^2).
struct SearchPlan {
  double hot, reheat, cold;  // energies
  int32_t first_sweeps, sweeps;
  double mating;             // part of the lineages that mate a round
  int32_t replaced;          // lineages a round that give way to better ones
  int32_t patience;          // rounds without improvement before starting anew
};
SearchPlan plan_search(const Model& model);

// What is shared by all populations of one model.
struct SearchSpace {
  const Model& model;  // without spins that a reduction could have removed
  IntegerModel integers;
  BitslicedProgram program;
  SearchPlan plan;
  explicit SearchSpace(const Model& model);
};

class Population {
 public:
  Population(const SearchSpace& space, uint64_t seed, uint64_t stream);
  // The state joins the lineages of the next fresh start.
  void seed_with(const int8_t* spins);
  // stop() is asked every millisecond or so; when it says so the round ends early with what it has. An annealing that would take
  // most of stop.seconds_left() is shortened.
  template <class Stop>
  void round(const Stop& stop);

  double best_energy() const { return best_energy_; }
  const int8_t* best() const { return best_.data(); }
  int64_t spin_updates() const { return updates_; }

 private:
  template <class Stop>
  bool anneal(double from, int32_t sweeps, const Stop& stop);
  void extract(int lane, int8_t* spins) const;
  void insert();
  template <class Stop>
  void take_first(bool annealed, const Stop& stop);
  void take(int lane, bool annealed);
  template <class Stop>
  void cross_with_annealed(const Stop& stop);
  template <class Stop>
  void mate(const Stop& stop);
  void replace_worst();
  void note_best();
  int8_t* lineage(int r) { return lineages_.get() + static_cast<int64_t>(r) * space_.model.n; }

  const SearchSpace& space_;
  PartitionCrossover crossover_;
  LaneRandom lanes_random_;
  Philox random_;
  std::vector<LaneRow> rows_, scratch_;
  LaneThresholds thresholds_;
  const std::unique_ptr<int8_t[]> lineages_;  // [kLanes x n], not touched before it is filled: it may be large
  std::vector<double> energies_;  // [kLanes]
  std::vector<int8_t> best_, current_, start_;
  double best_energy_, era_best_;
  int32_t stagnant_ = 0;
  bool fresh_ = true;
  int64_t updates_ = 0;
};

template <class Stop>
bool Population::anneal(double from, int32_t sweeps, const Stop& stop) {
  // Spins between two looks at the clock: of some 2^18 bonds, which take about a millisecond.
  const int64_t work = static_cast<int64_t>(space_.program.entries.size()) + space_.program.n;
  const auto at_once = static_cast<int32_t>(std::max<int64_t>(1, (int64_t{space_.program.n} << 18) / work));
  constexpr int kDigits = 12;  // rarer flips than 1 in 2^13 have no time to happen
  double ratio = sweeps > 1 ? std::pow(space_.plan.cold / from, 1.0 / (sweeps - 1)) : 1;
  double temperature = from;
  const double left = stop.seconds_left();
  for (int32_t k = 0; k < sweeps + 3; ++k, temperature *= ratio) {
    const double beta = k < sweeps ? 1 / temperature : INFINITY;  // the end is a descent
    thresholds_.set_uniform(acceptance_planes(beta * space_.program.unit, space_.program.largest_weight, kDigits), kDigits);
    for (int32_t first = 0, last; first < space_.program.n; first = last) {
      if (stop()) return false;
      last = static_cast<int32_t>(std::min<int64_t>(space_.program.n, int64_t{first} + at_once));
      bitsliced_sweep(space_.program, rows_.data(), lanes_random_, thresholds_, scratch_.data(), first, last);
    }
    if (k == 0) {
      const double affordable = 0.5 * left / std::max(left - stop.seconds_left(), 1e-9);
      if (affordable < sweeps) {
        sweeps = std::max(2, static_cast<int32_t>(affordable));
        ratio = std::pow(space_.plan.cold / from, 1.0 / (sweeps - 1));
      }
    }
  }
  updates_ += static_cast<int64_t>(sweeps + 3) * kLanes * space_.program.n;
  return true;
}

template <class Stop>
void Population::take_first(bool annealed, const Stop& stop) {
  std::fill(energies_.begin(), energies_.end(), INFINITY);
  // The best of the integer model first, in case there is no time for all.
  std::vector<int64_t> coarse(kLanes, 0);
  if (!stop()) bitsliced_energies(space_.program, rows_.data(), scratch_.data(), coarse.data());
  std::vector<int> order(kLanes);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return coarse[a] < coarse[b]; });
  for (int k = 0; k < kLanes && (k == 0 || !stop()); ++k) take(order[k], annealed);
}

template <class Stop>
void Population::cross_with_annealed(const Stop& stop) {
  for (int r = 0; r < kLanes && !stop(); ++r) {
    extract(r, current_.data());
    if (!space_.integers.exact) descend(space_.model, current_.data());
    energies_[r] += crossover_.improve(lineage(r), current_.data(), random_);
  }
}

template <class Stop>
void Population::mate(const Stop& stop) {
  for (int r = 0; r < kLanes && !stop(); ++r) {
    if (random_.next_float() >= space_.plan.mating) continue;
    const int other = static_cast<int>(random_.next_below(kLanes));
    if (other != r) energies_[r] += crossover_.improve(lineage(r), lineage(other), random_);
  }
}

template <class Stop>
void Population::round(const Stop& stop) {
  if (fresh_) {
    bitsliced_randomize(space_.program, rows_.data(), lanes_random_);
    take_first(anneal(space_.plan.hot, space_.plan.first_sweeps, stop), stop);
    era_best_ = INFINITY;
    stagnant_ = 0;
    fresh_ = false;
  } else {
    insert();
    if (!anneal(space_.plan.reheat, space_.plan.sweeps, stop)) return;
    cross_with_annealed(stop);
  }
  if (!stop()) {  // else some lineages may not have been taken
    mate(stop);
    replace_worst();
  }
  note_best();
}

}  // namespace xcore::thermo::ising
