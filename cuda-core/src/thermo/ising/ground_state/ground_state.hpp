// Ground states of Ising models within a time: exact reduction, then populations of annealed lineages side by side.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

#include "runtime/control.hpp"
#include "thermo/ising/ground_state/population.hpp"

namespace xcore::thermo::ising {

// Checks its arguments, then runs on the device of the rule in runtime/device.hpp. spins [n].
xc_ising_solve_result solve(const xc_ising_model& model, const xc_ising_solve_options& options, xc_device device,
                            int8_t* spins, const Control& control);

// What the searches of one call share: the clock, the reasons to stop, the best state. Energies are of the kernel.
class Search {
 public:
  using Clock = std::chrono::steady_clock;
  // start: of the whole call, what came before the search included.
  Search(const xc_ising_solve_options& options, const Model& kernel, double target, const Control& control,
         Clock::time_point start);
  bool stop() const;
  double seconds() const;
  double seconds_left() const { return options.time_limit_s - seconds(); }
  // Keeps the state when it is better, or as good and of a population with a smaller number. Thread-safe.
  void offer(double energy, const int8_t* spins, int population);
  void add(int64_t rounds, int64_t spin_updates);
  // For the progress of a search that only its rounds end.
  void plan(int64_t rounds) { planned_rounds_ = rounds; }
  // Only from the thread that made the call.
  void tell_progress() const;

  const xc_ising_solve_options options;
  const Control& control;
  std::vector<int8_t> best;
  double best_energy, best_time = 0;
  int64_t rounds = 0, spin_updates = 0;
  bool target_reached = false;

 private:
  const Clock::time_point start_;
  const double target_, lower_bound_;
  int best_population_ = INT32_MAX;
  int64_t planned_rounds_ = 0;
  mutable std::mutex mutex_;
  std::atomic<bool> done_{false};
};

void search_cpu(const SearchSpace& space, Search& search, const int8_t* start);
// Of models for which dense_pays (dense/dense_anneal.hpp).
void search_dense(const Model& kernel, Search& search, const int8_t* start);
void search_dense_cuda(const Model& kernel, Search& search, const int8_t* start, int device);
void search_cuda(const SearchSpace& space, Search& search, const int8_t* start, int device);

}  // namespace xcore::thermo::ising
