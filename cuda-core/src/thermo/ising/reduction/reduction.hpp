// Exact removal of spins with few neighbours.
//
// In a ground state a spin follows its local field, so it contributes -|sum_j J_j s_j| as a function of its neighbours
// (a field counts as a neighbour that is always +1). For up to three neighbours that function is a constant plus
// couplings between them, which may then stand for the spin (the star-triangle relation at temperature zero):
//   J_12 += (|a+b+c| + |a+b-c| - |a-b+c| - |-a+b+c|) / 4, and likewise for the other pairs.
// Repeating this removes trees, chains and much of sparse random graphs; nothing is lost.
#pragma once

#include <functional>
#include <vector>

#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

class Reduction {
 public:
  // The model is read later as well.
  // stop is asked now and then; once it says so the reduction ends with what it has done so far.
  explicit Reduction(const Model& model, const std::function<bool()>& stop = [] { return false; });
  // What is left, the model itself when hardly anything could be removed; n = 0 when the reduction solved the model.
  const Model& kernel() const { return whole_ ? *whole_ : kernel_; }
  // The original index of each spin of the kernel.
  const std::vector<int32_t>& kept() const { return kept_; }
  // A ground state of the kernel becomes one of the model. kernel_spins [kernel().n], spins [n].
  void expand(const int8_t* kernel_spins, int8_t* spins) const;

 private:
  struct Bond {
    int32_t to;  // n: the field
    double coupling;
  };
  struct Removed {
    int32_t spin, count;  // of the bonds it had, up to three
  };
  class Workspace;
  int32_t n_;
  const Model* whole_ = nullptr;
  Model kernel_;
  std::vector<int32_t> kept_;
  std::vector<Removed> removed_;  // in order of removal
  std::vector<Bond> bonds_;       // of the removed spins, one after the other
};

// Whether some state satisfies every bond and field (a balanced signed graph: F. Harary, Mich. Math. J. 2, 143 (1953));
// then `spins` is one, and a ground state. Cuts of bipartite graphs are of this kind.
bool satisfy_all_bonds(const Model& model, int8_t* spins);

}  // namespace xcore::thermo::ising
