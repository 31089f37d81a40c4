// Partition crossover on a GPU by joining labels: all components of a pair of states at once.
//
// A warp holds the spins in which its two states differ as a list; each starts with a label of its own, neighbours join their
// labels (hooking and pointer jumping: Y. Shiloach, U. Vishkin, J. Algorithms 3, 57 (1982)), and every component sums up in its
// root what taking it would change. Walking through the components one after the other, as the kernel for large models in
// crossover_cuda.cu does, takes a chain of steps a component instead of a few for all of them.
//
// Weights are whole multiples of one unit: the model's own, or its total weight's 2^-60th part, so that sums do not depend on
// their order. Differences below that count as ties.
#pragma once

#include "runtime/cuda.hpp"
#include "thermo/ising/model/integer_model.hpp"

namespace xcore::thermo::ising {

class DeviceComponents {
 public:
  template <class Weight>
  struct Bond;
  // Whether a warp's lists fit its shared memory.
  static bool fits(const Model& model);
  DeviceComponents(const Model& model, const cuda::Stream& stream);

  struct Pairs {
    uint32_t* rows;          // [n x row_words], lane l being bit l % 32 of word l / 32
    const uint32_t* others;  // the same
    int64_t row_words;
    double* energies;        // [lanes], to which changes are added
    uint64_t seed, round;
  };
  // Every lane by the same lane of `others`.
  void improve(const Pairs& pairs);
  // One random lane of each `stride` by a random lane of `others` of its group.
  void mate(const Pairs& pairs, int stride, int group);

 private:
  template <class Weight>
  struct Graph {
    cuda::Buffer<Bond<Weight>> bonds;
    cuda::Buffer<Weight> fields;
  };
  template <class Weight>
  void place(Graph<Weight>& graph, const Model& model);
  template <class Weight>
  void launch(const Graph<Weight>& graph, const Pairs& pairs, int stride, int group);

  const cuda::Stream& stream_;
  const int32_t n_;
  const bool mirror_;
  double unit_ = 1;
  bool narrow_ = false;  // sums fit 32 bits
  cuda::Buffer<int2> ranges_;  // of each spin's bonds
  Graph<int32_t> narrow_graph_;
  Graph<int64_t> wide_graph_;
};

}  // namespace xcore::thermo::ising
