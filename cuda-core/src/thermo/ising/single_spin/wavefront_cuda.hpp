// Sweeps of many replicas on a GPU, 32 a block: their spins are bits in shared memory, and the warps of the block share out
// the spins of one level of the wavefront at a time.
#pragma once

#include "runtime/cuda.hpp"
#include "thermo/ising/single_spin/single_spin.hpp"

namespace xcore::thermo::ising {

class DeviceWavefront {
 public:
  template <class Weight>
  struct Site;
  template <class Weight>
  struct Bond;
  // Whether a block can hold the spins.
  static bool fits(const Model& model);
  DeviceWavefront(const Model& model, const AcceptanceTables& tables, int32_t rule, const cuda::Stream& stream);

  // Everything in device memory. spins [n x count] of +-1; flips [slots] are raised.
  struct State {
    int8_t* spins;
    int64_t count;
    const int32_t* slot;    // [count]
    const double* betas;    // [slots]
    const int32_t* tables;  // [slots x (2 reach + 1)]
    double* energies;       // [count]
    unsigned long long* flips;
    uint64_t seed, first_stream;
  };
  void sweep(const State& state, uint64_t first_sweep, int sweeps);

 private:
  template <class Weight>
  struct Graph {
    cuda::Buffer<Site<Weight>> sites;
    cuda::Buffer<Bond<Weight>> bonds;
  };
  template <class Weight>
  void place(Graph<Weight>& graph, const Model& model, double unit);
  template <class Weight>
  void launch(const Graph<Weight>& graph, const State& state, uint64_t first_sweep, int sweeps);

  const cuda::Stream& stream_;
  const int32_t n_, rule_, reach_;
  const double unit_;
  int levels_ = 0, multiprocessors_ = 1;
  cuda::Buffer<int32_t> level_starts_;
  Graph<int32_t> whole_;  // in units, for decisions by table
  Graph<double> real_;
};

}  // namespace xcore::thermo::ising
