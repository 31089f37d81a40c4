// Annealing of models in which nearly all spins interact, with kept local fields: visiting a spin costs one comparison, and only a
// flip reads the spin's row of the matrix to bring all fields up to date. Low temperatures flip few of the spins they visit, so a
// sweep costs a small part of the n^2 that sweeps of the bit-sliced kernels read.
//
// A population holds some lineages. A round reheats each of them to a moderate temperature, anneals it, and keeps the better state;
// when nothing has come of that for a while the population starts anew with longer annealings. Everything follows from
// (seed, stream), and the same bits come out with every instruction set.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "runtime/philox.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

inline constexpr int kDenseLanes = 16;  // spins that are looked at together
inline constexpr int32_t kMostDenseSpins = 16384;  // whose matrix of floats takes 1 GB

// xoshiro128++ (D. Blackman, S. Vigna, ACM TOMS 47, 36 (2021)), one generator a lane.
struct DenseRandom {
  uint32_t state[4][kDenseLanes];
  DenseRandom(uint64_t seed, uint64_t stream);
};

// The couplings as a matrix of the smallest numbers that hold them: 8 or 16 bits where all weights are multiples of one unit, else
// floats in a unit near the largest. Rows are padded with zeros to whole vectors.
struct DenseModel {
  explicit DenseModel(const Model& model);
  const Model& model;
  int64_t stride;       // [n] rounded up
  double unit = 1;
  std::vector<int8_t> narrow;  // [n x stride], one of these
  std::vector<int16_t> wide;
  std::vector<float> real;
  std::vector<float> fields;   // [stride], in units; padded spins are never looked at
  double hot, reheat, cold;    // temperatures, in units
};
// Sweeps of an annealing to begin with; see bench/results/thermo-ising.md for this and the temperatures.
inline int32_t dense_sweeps(const Model& m) { return std::clamp(m.n / 2, 256, 1024); }
// Whether it is the faster way, and the matrix of reasonable size.
bool dense_pays(const Model& model);

// sweep: one in index order at a temperature in units (0: a descent), the number of flips. spins [stride] of +-1,
// local_fields [stride].
struct DenseKernels {
  int64_t (*sweep)(const DenseModel&, float* spins, float* local_fields, float temperature, DenseRandom&);
  void (*local_fields)(const DenseModel&, const float* spins, float* local_fields);
};
extern const DenseKernels dense_portable, dense_avx2, dense_avx512;
const DenseKernels& dense_kernels();  // the best that runs here

class DensePopulation {
 public:
  DensePopulation(const DenseModel& dense, uint64_t seed, uint64_t stream);
  // The state is one of the lineages of the first start.
  void seed_with(const int8_t* spins);
  // stop() is asked every millisecond or so; when it says so the round ends early with what it has. An annealing that would take
  // most of stop.seconds_left() is shortened.
  template <class Stop>
  void round(const Stop& stop);
  double best_energy() const { return best_energy_; }
  const int8_t* best() const { return best_.data(); }
  int64_t spin_updates() const { return updates_; }

 private:
  struct Lineage {
    std::vector<float> spins;
    double energy;
  };
  template <class Stop>
  void anneal(double from, int32_t sweeps, const Stop& stop);
  void start_anew();
  void random_spins();
  void descend_now();
  double energy_now() const;
  void take(Lineage& lineage);

  static constexpr int kLineages = 8;
  static constexpr int32_t kMostSweeps = 4096;
  static constexpr int kPatience = 64;  // annealings without improvement of any lineage before a start anew

  const DenseModel& dense_;
  DenseRandom draws_;
  Philox random_;
  std::vector<Lineage> lineages_;
  std::vector<float> spins_, local_fields_;
  std::vector<int8_t> best_, start_;
  double best_energy_;
  int32_t sweeps_;  // of an annealing
  int stagnant_ = 0;
  int64_t updates_ = 0;
};

template <class Stop>
void DensePopulation::anneal(double from, int32_t sweeps, const Stop& stop) {
  const double began = stop.seconds_left();
  double ratio = std::pow(dense_.cold / from, 1.0 / (sweeps - 1)), temperature = from;
  for (int32_t k = 0; k < sweeps; ++k, temperature *= ratio) {
    if (stop()) return;
    dense_kernels().sweep(dense_, spins_.data(), local_fields_.data(), static_cast<float>(temperature), draws_);
    updates_ += dense_.model.n;
    if (k == 0) {
      const double affordable = 0.3 * began / std::max(began - stop.seconds_left(), 1e-9);
      if (affordable < sweeps) {
        sweeps = std::max(2, static_cast<int32_t>(affordable));
        ratio = std::pow(dense_.cold / from, 1.0 / (sweeps - 1));
      }
    }
  }
}

template <class Stop>
void DensePopulation::round(const Stop& stop) {
  if (stagnant_ > kPatience) start_anew();
  const bool first = lineages_.empty();
  if (first) lineages_.assign(kLineages, Lineage{{}, INFINITY});
  for (Lineage& lineage : lineages_) {
    double from = dense_.hot;
    bool anneals = true;
    if (!lineage.spins.empty()) {
      spins_ = lineage.spins;
      from = dense_.reheat * (0.7 + 0.6 * random_.next_double());
    } else if (!start_.empty()) {
      std::copy(start_.begin(), start_.end(), spins_.begin());
      start_.clear();
      anneals = false;
    } else {
      random_spins();
    }
    dense_kernels().local_fields(dense_, spins_.data(), local_fields_.data());
    if (anneals) anneal(from, sweeps_, stop);
    descend_now();
    take(lineage);
    if (stop()) return;
  }
}

}  // namespace xcore::thermo::ising
