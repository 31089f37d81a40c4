// Colour classes: spins of one colour do not interact, so they may be updated at the same time.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "thermo/ising/model/integer_model.hpp"

namespace xcore::thermo::ising {

struct Colouring {
  std::vector<int32_t> order;   // spins, colour by colour; within a colour by falling degree
  std::vector<int32_t> starts;  // [colours + 1], into order
};

// Greedy, spins of many neighbours first (D. Welsh, M. Powell, Comput. J. 10, 85 (1967)): at most 1 + the largest degree.
inline Colouring colour_greedily(const IntegerModel& m) {
  const auto degree = [&](int32_t i) { return m.offsets[i + 1] - m.offsets[i]; };
  std::vector<int32_t> by_degree(m.n), colour(m.n, -1), taken_by;
  std::iota(by_degree.begin(), by_degree.end(), 0);
  std::stable_sort(by_degree.begin(), by_degree.end(), [&](int32_t a, int32_t b) { return degree(a) > degree(b); });
  int32_t colours = 0;
  for (const int32_t i : by_degree) {
    taken_by.resize(colours + 1, -1);
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
      if (colour[m.neighbours[k]] >= 0) taken_by[colour[m.neighbours[k]]] = i;
    int32_t c = 0;
    while (c < colours && taken_by[c] == i) ++c;
    colour[i] = c;
    colours = std::max(colours, c + 1);
  }
  Colouring out;
  out.starts.assign(colours + 1, 0);
  for (const int32_t c : colour) ++out.starts[c + 1];
  for (int32_t c = 0; c < colours; ++c) out.starts[c + 1] += out.starts[c];
  out.order.resize(m.n);
  std::vector<int32_t> next(out.starts.begin(), out.starts.end() - 1);
  for (const int32_t i : by_degree) out.order[next[colour[i]]++] = i;
  return out;
}

}  // namespace xcore::thermo::ising
