// Many replicas of one model, each at a temperature of its own, with single spins updated: what replica exchange and population
// annealing are built on. Two ways to do it:
//
//   single_spin/   any weights, Metropolis or heat bath, cluster moves; spin by spin in each replica
//   bitsliced/     weights that are small multiples of one unit, Metropolis; 32 replicas a word, several times as fast
//
// make_replicas takes the second where it serves. Both sample the same distribution; they are different Markov chains.
#pragma once

#include <memory>
#include <vector>

#include "runtime/control.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

class Replicas {
 public:
  virtual ~Replicas() = default;
  // Random spins.
  virtual void randomize() = 0;
  // `sweeps` sweeps, replica r at temperature slot[r] of the betas set before.
  virtual void set_betas(const std::vector<double>& betas) = 0;
  virtual void sweep(const int32_t* slot, int64_t sweeps) = 0;
  virtual const double* energies() = 0;  // [count], up to date
  // Flips accepted (changed spins under heat bath) at each of the betas since they were set or last asked for. Where counting
  // every flip would cost much it is those of the last sweep of each call, times the sweeps.
  virtual void take_flips(uint64_t* of_slot) = 0;
  // Replica r becomes a copy of replica from[r].
  virtual void resample(const int32_t* from) = 0;
  // spins [count x n] of the replicas named, in that order.
  virtual void read(const int32_t* replicas, int64_t count, int8_t* spins) = 0;
  // Their sums of all spins.
  virtual void sums_of_spins(const int32_t* replicas, int64_t count, int32_t* sums) = 0;
  // Houdayer moves between replicas pairs[2k] and pairs[2k + 1]: the differing component of a random differing spin
  // changes sides. Keeps the sum of their energies. Only of replicas made for it (ReplicaOptions::cluster_moves).
  virtual void exchange_clusters(const int32_t* pairs, int64_t count) = 0;
  int64_t count() const { return count_; }

 protected:
  explicit Replicas(int64_t count) : count_(count) {}
  const int64_t count_;
};

struct ReplicaOptions {
  int32_t rule = XC_ISING_METROPOLIS;
  uint64_t seed = 0, first_stream = 0;
  bool cluster_moves = false;
};

// The device is the caller's choice, made before: see replicas_pay.
std::unique_ptr<Replicas> make_replicas(const Model& model, int64_t count, const ReplicaOptions& options, xc_device device,
                                        const Control& control);

// A GPU thread is slow alone: it pays from some thousands of replicas.
inline bool replicas_pay(const Model& model, int64_t count) { return count >= 2048 && count * model.n >= 1 << 20; }

}  // namespace xcore::thermo::ising
