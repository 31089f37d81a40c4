// Houdayer's cluster move between two replicas at one temperature.
//
// The spins in which two replicas differ form clusters; exchanging one cluster between them is flipping it in both. The
// sum of the two energies stays, so the move is always accepted, and far-away states come within reach. It helps where
// the clusters do not percolate: sparse graphs and low temperatures.
// J. Houdayer, Eur. Phys. J. B 22, 479 (2001); Z. Zhu, A. Ochoa, H. Katzgraber, Phys. Rev. Lett. 115, 077201 (2015).
#pragma once

#include <vector>

#include "runtime/philox.hpp"
#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

class ClusterExchange {
 public:
  explicit ClusterExchange(const Model& model) : model_(model), mark_(model.n, 0) {}

  // Chooses a cluster; flipping members() in both replicas is the move. Returns the change of energy of `a`, which is
  // minus that of `b`. No members when the replicas are equal.
  double exchange(const int8_t* a, const int8_t* b, Philox& random) {
    members_.clear();
    std::vector<int32_t>& candidates = candidates_;
    candidates.clear();
    for (int32_t i = 0; i < model_.n; ++i)
      if (a[i] != b[i]) candidates.push_back(i);
    if (candidates.empty()) return 0;
    const int32_t start = candidates[random.next_below(static_cast<uint32_t>(candidates.size()))];
    ++stamp_;
    mark_[start] = stamp_;
    members_.push_back(start);
    double boundary = 0;
    for (size_t at = 0; at < members_.size(); ++at) {
      const int32_t i = members_[at];
      double bond = model_.fields[i];
      for (int64_t k = model_.offsets[i]; k < model_.offsets[i + 1]; ++k) {
        const int32_t j = model_.neighbours[k];
        if (a[j] == b[j]) {
          bond += model_.couplings[k] * a[j];
        } else if (mark_[j] != stamp_) {
          mark_[j] = stamp_;
          members_.push_back(j);
        }
      }
      boundary += bond * a[i];
    }
    return 2 * boundary;
  }
  const std::vector<int32_t>& members() const { return members_; }

 private:
  const Model& model_;
  std::vector<uint64_t> mark_;
  std::vector<int32_t> members_, candidates_;
  uint64_t stamp_ = 0;
};

}  // namespace xcore::thermo::ising
