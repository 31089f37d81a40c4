// The best mixture of two states, component by component.
//
// The spins in which two states differ fall into connected components of the graph. Components do not touch, so each can
// be taken from either parent on its own, and the energy changes by a sum of independent terms: taking every component
// that lowers it gives the best of all 2^components children, in one walk over the differing spins and their bonds.
// On sparse graphs two good states have many small components, and the child is better than both.
//
// As a move between replicas at one energy this is the cluster of J. Houdayer, Eur. Phys. J. B 22, 479 (2001); as a greedy
// recombination, D. Whitley, D. Hains, A. Howe, GECCO 2009 (partition crossover) and Z. Zhu, A. Ochoa, H. Katzgraber,
// arXiv 1907.04407 (Borealis).
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/philox.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

class PartitionCrossover {
 public:
  explicit PartitionCrossover(const Model& model);
  // Takes into `state` every component of `other` that lowers the energy, and of those that leave it equal each with
  // probability 1/2. Returns the change of energy (<= 0). Without fields `other` and its mirror image are the same
  // state; the nearer one is used.
  double improve(int8_t* state, const int8_t* other, Philox& random);
  // Of the last call.
  int64_t components() const { return components_; }
  int64_t flipped() const { return flipped_; }

 private:
  const Model& model_;
  const bool mirror_;
  std::vector<uint32_t> mark_;
  std::vector<int32_t> queue_;
  uint32_t stamp_ = 0;
  int64_t components_ = 0, flipped_ = 0;
};

// Flips spins that lower the energy, in index order, until none does. Returns the change of energy.
double descend(const Model& model, int8_t* state);

}  // namespace xcore::thermo::ising
