// Graphs for the bench: the Gset's files, and stand-ins of our own for those that are not at hand.
//
//   G22                    FOLDER/G22.txt
//   random:N:M:SEED        M different edges of weight 1 between N nodes, each pair as likely as any other (G22, G43, G55, G70)
//   signed:N:M:SEED        the same with weights +-1 (G6, G27)
//   torus:ROWS:COLUMNS:SEED  the square lattice on a torus with weights +-1 (G11, G32, G57)
//   dense:N:RANGE:SEED     all pairs, with whole weights from -RANGE to RANGE
//   planar:N:M:SEED        M edges of the union of two maximal planar graphs (G14, G35, G51)
// A name may end in =CUT, the cut to reach.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "runtime/philox.hpp"

namespace xcore::thermo::ising {

struct BenchGraph {
  std::string name;
  int32_t n = 0;
  std::vector<int32_t> edges;     // flat pairs from 0
  std::vector<double> couplings;  // minus the weights
  double total = 0, target = NAN;

  void add(int32_t a, int32_t b, double w) {
    edges.insert(edges.end(), {a, b});
    couplings.push_back(-w);
    total += w;
  }
};

inline bool read_gset(const std::string& path, BenchGraph& g) {
  std::ifstream file(path);
  int64_t m = 0;
  if (!(file >> g.n >> m)) return false;
  for (int64_t k = 0; k < m; ++k) {
    int32_t a, b;
    double w;
    if (!(file >> a >> b >> w)) return false;
    g.add(a - 1, b - 1, w);
  }
  return true;
}

// A stacked triangulation: every node goes into a random face of what is there. Its nodes are named at random.
inline void add_triangulation(int32_t n, Philox& random, std::set<std::pair<int32_t, int32_t>>& edges) {
  std::vector<int32_t> name(n);
  std::iota(name.begin(), name.end(), 0);
  for (int32_t i = n - 1; i > 0; --i) std::swap(name[i], name[random.next_below(static_cast<uint32_t>(i + 1))]);
  const auto join = [&](int32_t a, int32_t b) { edges.insert(std::minmax(name[a], name[b])); };
  join(0, 1), join(1, 2), join(0, 2);
  std::vector<std::array<int32_t, 3>> faces{{0, 1, 2}, {0, 1, 2}};  // inside and outside
  for (int32_t i = 3; i < n; ++i) {
    const uint32_t at = random.next_below(static_cast<uint32_t>(faces.size()));
    const auto [a, b, c] = faces[at];
    join(i, a), join(i, b), join(i, c);
    faces[at] = {a, b, i};
    faces.push_back({b, c, i});
    faces.push_back({a, c, i});
  }
}

inline bool generate_graph(const std::string& kind, int64_t first, int64_t second, uint64_t seed, BenchGraph& g) {
  Philox random(seed, 4711);
  const auto sign = [&] { return random.next_u32() & 1 ? 1.0 : -1.0; };
  if (kind == "torus") {
    const auto rows = static_cast<int32_t>(first), columns = static_cast<int32_t>(second);
    g.n = rows * columns;
    for (int32_t r = 0; r < rows; ++r)
      for (int32_t c = 0; c < columns; ++c) {
        g.add(r * columns + c, r * columns + (c + 1) % columns, sign());
        g.add(r * columns + c, (r + 1) % rows * columns + c, sign());
      }
    return g.n > 0;
  }
  g.n = static_cast<int32_t>(first);
  if (kind == "dense") {
    for (int32_t a = 0; a < g.n; ++a)
      for (int32_t b = a + 1; b < g.n; ++b)
        g.add(a, b, static_cast<double>(random.next_below(static_cast<uint32_t>(2 * second + 1))) - static_cast<double>(second));
    return g.n > 0;
  }
  std::set<std::pair<int32_t, int32_t>> edges;
  if (kind == "planar") {
    add_triangulation(g.n, random, edges);
    add_triangulation(g.n, random, edges);
    std::vector<std::pair<int32_t, int32_t>> all(edges.begin(), edges.end());
    for (size_t k = all.size(); k > static_cast<size_t>(second); --k) {
      std::swap(all[random.next_below(static_cast<uint32_t>(k))], all[k - 1]);
      all.pop_back();
    }
    edges = {all.begin(), all.end()};
  } else if (kind == "random" || kind == "signed") {
    if (g.n < 2 || second > int64_t{g.n} * (g.n - 1) / 4) return false;
    while (static_cast<int64_t>(edges.size()) < second) {
      const auto a = static_cast<int32_t>(random.next_below(g.n)), b = static_cast<int32_t>(random.next_below(g.n));
      if (a != b) edges.insert(std::minmax(a, b));
    }
  } else {
    return false;
  }
  for (const auto& [a, b] : edges) g.add(a, b, kind == "signed" ? sign() : 1);
  return true;
}

inline bool bench_graph(const std::string& folder, const std::string& spec, BenchGraph& g) {
  g.name = spec.substr(0, spec.find('='));
  if (g.name.size() < spec.size()) g.target = std::atof(spec.c_str() + g.name.size() + 1);
  std::stringstream parts(g.name);
  std::vector<std::string> part;
  for (std::string p; std::getline(parts, p, ':');) part.push_back(p);
  if (part.size() == 1) return read_gset(folder + "/" + g.name + ".txt", g);
  return part.size() == 4 && generate_graph(part[0], std::atoll(part[1].c_str()), std::atoll(part[2].c_str()),
                                            static_cast<uint64_t>(std::atoll(part[3].c_str())), g);
}

}  // namespace xcore::thermo::ising
