// A sweep in index order, cut into levels of spins that may be updated at the same time.
//
// Spin i reads the new values of its neighbours below i and the old values of those above. With level(i) one more than the
// largest level of its neighbours below i, all of these stand in earlier levels and those above i in later ones: updating
// level by level is updating in index order, result by result. (The wavefront or hyperplane method: L. Lamport, "The parallel
// execution of DO loops", Commun. ACM 17, 83 (1974).)
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

struct Wavefront {
  std::vector<int32_t> order;   // spins, level by level
  std::vector<int32_t> starts;  // [levels + 1], into order
  int levels() const { return static_cast<int>(starts.size()) - 1; }
};

inline Wavefront wavefront(const Model& m) {
  std::vector<int32_t> level(m.n, 0);
  int32_t levels = 0;
  for (int32_t i = 0; i < m.n; ++i) {
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1] && m.neighbours[k] < i; ++k)
      level[i] = std::max(level[i], level[m.neighbours[k]] + 1);
    levels = std::max(levels, level[i] + 1);
  }
  Wavefront out;
  out.starts.assign(levels + 1, 0);
  for (const int32_t l : level) ++out.starts[l + 1];
  std::partial_sum(out.starts.begin(), out.starts.end(), out.starts.begin());
  out.order.resize(m.n);
  std::vector<int32_t> next(out.starts.begin(), out.starts.end() - 1);
  for (int32_t i = 0; i < m.n; ++i) out.order[next[level[i]]++] = i;
  return out;
}

}  // namespace xcore::thermo::ising
