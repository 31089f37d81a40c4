#include "thermo/ising/model/model.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/error.hpp"

namespace xcore::thermo::ising {

bool Model::has_fields() const {
  return std::any_of(fields.begin(), fields.end(), [](double h) { return h != 0; });
}

namespace {

// What the neighbours of each spin exert on it, without the fields.
void exchange_fields(const Model& m, const int8_t* spins, double* h) {
  const std::vector<double> s(spins, spins + m.n);
  const auto dot = [](const double* a, const double* b, int64_t count) {
    double parts[4] = {0, 0, 0, 0};
    int64_t k = 0;
    for (; k + 4 <= count; k += 4)
      for (int j = 0; j < 4; ++j) parts[j] += a[k + j] * b[k + j];
    for (; k < count; ++k) parts[0] += a[k] * b[k];
    return (parts[0] + parts[1]) + (parts[2] + parts[3]);
  };
  for (int32_t i = 0; i < m.n; ++i) {
    const int64_t first = m.offsets[i], degree = m.offsets[i + 1] - first;
    const double* const row = m.couplings.data() + first;
    if (degree == m.n - 1) {  // all others, in order
      h[i] = dot(row, s.data(), i) + dot(row + i, s.data() + i + 1, degree - i);
      continue;
    }
    h[i] = 0;
    for (int64_t k = 0; k < degree; ++k) h[i] += row[k] * s[m.neighbours[first + k]];
  }
}

}  // namespace

void Model::local_fields(const int8_t* spins, double* h) const {
  exchange_fields(*this, spins, h);
  for (int32_t i = 0; i < n; ++i) h[i] += fields[i];
}

double Model::energy(const int8_t* spins) const {
  std::vector<double> h(n);
  exchange_fields(*this, spins, h.data());
  double twice = 0, field = 0;
  for (int32_t i = 0; i < n; ++i) {
    twice += spins[i] * h[i];
    field += spins[i] * fields[i];
  }
  return 0.0 - twice / 2 - field;  // 0 where all are 0, not -0
}

namespace {

// Stable, by counting: keys are 0 to n - 1.
template <class Key>
void sort_by(std::vector<Edge>& edges, int32_t n, const Key& key) {
  std::vector<int64_t> next(n + 1, 0);
  for (const Edge& e : edges) ++next[key(e) + 1];
  for (int32_t i = 0; i < n; ++i) next[i + 1] += next[i];
  std::vector<Edge> sorted(edges.size());
  for (const Edge& e : edges) sorted[next[key(e)]++] = e;
  edges.swap(sorted);
}

}  // namespace

Model build_model(int32_t n, std::vector<Edge> edges, std::vector<double> fields) {
  for (Edge& e : edges)
    if (e.a > e.b) std::swap(e.a, e.b);
  sort_by(edges, n, [](const Edge& e) { return e.b; });
  sort_by(edges, n, [](const Edge& e) { return e.a; });
  size_t kept = 0;
  for (size_t k = 0; k < edges.size();) {
    Edge sum = edges[k++];
    while (k < edges.size() && edges[k].a == sum.a && edges[k].b == sum.b) sum.coupling += edges[k++].coupling;
    if (sum.coupling != 0) edges[kept++] = sum;
  }
  edges.resize(kept);

  Model m;
  m.n = n;
  m.fields = std::move(fields);
  m.offsets.assign(n + 1, 0);
  for (const Edge& e : edges) {
    ++m.offsets[e.a + 1];
    ++m.offsets[e.b + 1];
  }
  for (int32_t i = 0; i < n; ++i) m.offsets[i + 1] += m.offsets[i];
  m.neighbours.resize(2 * kept);
  m.couplings.resize(2 * kept);
  std::vector<int64_t> next(m.offsets.begin(), m.offsets.end() - 1);
  const auto put = [&](int32_t row, int32_t neighbour, double coupling) {
    m.neighbours[next[row]] = neighbour;
    m.couplings[next[row]++] = coupling;
  };
  // Edges come in ascending (a, b): row b receives its smaller neighbours first, then its larger ones.
  for (const Edge& e : edges) put(e.b, e.a, e.coupling);
  for (const Edge& e : edges) put(e.a, e.b, e.coupling);
  return m;
}

Model checked_model(const xc_ising_model& x) {
  if (x.n < 1 || x.n > XC_ISING_SPINS_MAX)
    throw invalid_argument("n", "a model of %d spins; 1 to %d are possible", x.n, XC_ISING_SPINS_MAX);
  if (x.edge_count < 0 || x.edge_count > XC_ISING_EDGES_MAX)
    throw invalid_argument("edges", "%lld edges; 0 to %d are possible", static_cast<long long>(x.edge_count),
                           XC_ISING_EDGES_MAX);
  if (x.edge_count > 0 && (!x.edges || !x.weights)) throw invalid_argument("edges", "an array is missing");
  std::vector<Edge> edges(x.edge_count);
  double size = 0;
  for (int64_t k = 0; k < x.edge_count; ++k) {
    const Edge e{x.edges[2 * k], x.edges[2 * k + 1], x.weights[k]};
    if (e.a < 0 || e.a >= x.n || e.b < 0 || e.b >= x.n)
      throw invalid_argument("edges", "edge %lld joins %d and %d; nodes are 0 to %d", static_cast<long long>(k), e.a, e.b,
                             x.n - 1);
    if (e.a == e.b)
      throw invalid_argument("edges", "edge %lld joins node %d with itself; only different nodes interact",
                             static_cast<long long>(k), e.a);
    if (!std::isfinite(e.coupling))
      throw invalid_argument("weights", "weight %lld is %g; weights must be finite", static_cast<long long>(k), e.coupling);
    size += std::fabs(e.coupling);
    edges[k] = e;
  }
  std::vector<double> fields(x.n, 0.0);
  for (int32_t i = 0; x.fields && i < x.n; ++i) {
    if (!std::isfinite(x.fields[i]))
      throw invalid_argument("fields", "field %d is %g; fields must be finite", i, x.fields[i]);
    size += std::fabs(x.fields[i]);
    fields[i] = x.fields[i];
  }
  if (!(size <= XC_THERMO_ENERGY_MAX))
    throw invalid_argument("weights", "the absolute weights and fields add up to %g; energies up to %g can be told apart",
                           size, XC_THERMO_ENERGY_MAX);
  return build_model(x.n, std::move(edges), std::move(fields));
}

void check_spins(const int8_t* spins, int32_t n, const char* field) {
  for (int32_t i = 0; i < n; ++i)
    if (spins[i] != 1 && spins[i] != -1)
      throw invalid_argument(field, "spin %d of %s is %d; spins are 1 or -1", i, field, spins[i]);
}

}  // namespace xcore::thermo::ising
