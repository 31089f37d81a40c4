// Colour classes: spins of one colour do not interact, so they may be updated at the same time. A sweep on a GPU takes a step a
// colour, so few colours are worth some work.
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
inline std::vector<int32_t> colours_by_degree(const IntegerModel& m, const std::vector<int32_t>& by_degree) {
  std::vector<int32_t> colour(m.n, -1), taken_by;
  for (const int32_t i : by_degree) {
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k)
      if (colour[m.neighbours[k]] >= 0) taken_by[colour[m.neighbours[k]]] = i;
    size_t c = 0;
    while (c < taken_by.size() && taken_by[c] == i) ++c;
    if (c == taken_by.size()) taken_by.push_back(-1);
    colour[i] = static_cast<int32_t>(c);
  }
  return colour;
}

// Next is always the spin whose neighbours have the most different colours, of these one of the most neighbours (DSATUR:
// D. Brelaz, Commun. ACM 22, 251 (1979)): exact on bipartite graphs, and a fifth fewer colours on random ones. Empty where 64
// colours, the bits of a word, are not enough.
inline std::vector<int32_t> colours_by_saturation(const IntegerModel& m, const std::vector<int32_t>& by_degree) {
  const auto degree = [&](int32_t i) { return static_cast<int32_t>(m.offsets[i + 1] - m.offsets[i]); };
  constexpr int32_t kDegrees = 64;  // larger ones count as equal, which bounds the number of queues
  std::vector<std::vector<int32_t>> queue(kDegrees);  // by saturation, then degree; holds spins that have left it since
  std::vector<uint64_t> seen(m.n, 0);                 // colours of the neighbours
  std::vector<int32_t> colour(m.n, -1), place(m.n, -1);
  int32_t top = -1;
  const auto put = [&](int32_t i) {
    place[i] = __builtin_popcountll(seen[i]) * kDegrees + std::min(degree(i), kDegrees - 1);
    if (static_cast<size_t>(place[i]) >= queue.size()) queue.resize(place[i] / kDegrees * kDegrees + kDegrees);
    queue[place[i]].push_back(i);
    top = std::max(top, place[i]);
  };
  for (auto i = by_degree.rbegin(); i != by_degree.rend(); ++i) put(*i);
  while (top >= 0) {
    if (queue[top].empty()) {
      --top;
      continue;
    }
    const int32_t i = queue[top].back();
    queue[top].pop_back();
    if (colour[i] >= 0 || place[i] != top) continue;
    if (seen[i] == ~uint64_t{0}) return {};
    colour[i] = __builtin_ctzll(~seen[i]);
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) {
      const int32_t j = m.neighbours[k];
      const uint64_t with = seen[j] | uint64_t{1} << colour[i];
      if (colour[j] >= 0 || with == seen[j]) continue;
      seen[j] = with;
      put(j);
    }
  }
  return colour;
}

inline Colouring colour_greedily(const IntegerModel& m) {
  const auto degree = [&](int32_t i) { return m.offsets[i + 1] - m.offsets[i]; };
  std::vector<int32_t> by_degree(m.n);
  std::iota(by_degree.begin(), by_degree.end(), 0);
  std::stable_sort(by_degree.begin(), by_degree.end(), [&](int32_t a, int32_t b) { return degree(a) > degree(b); });
  std::vector<int32_t> colour = colours_by_saturation(m, by_degree);
  if (colour.empty()) colour = colours_by_degree(m, by_degree);
  Colouring out;
  out.starts.assign(m.n > 0 ? *std::max_element(colour.begin(), colour.end()) + 2 : 1, 0);
  for (const int32_t c : colour) ++out.starts[c + 1];
  std::partial_sum(out.starts.begin(), out.starts.end(), out.starts.begin());
  out.order.resize(m.n);
  std::vector<int32_t> next(out.starts.begin(), out.starts.end() - 1);
  for (const int32_t i : by_degree) out.order[next[colour[i]]++] = i;
  return out;
}

}  // namespace xcore::thermo::ising
