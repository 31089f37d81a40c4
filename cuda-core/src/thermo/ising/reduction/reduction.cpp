#include "thermo/ising/reduction/reduction.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "thermo/ising/model/integer_model.hpp"

namespace xcore::thermo::ising {

namespace {

struct Bond {
  int32_t to;
  double coupling;
};

// Couplings that change; row n is the field.
class Workspace {
 public:
  explicit Workspace(const Model& m) : rows(m.n + 1) {
    for (int32_t i = 0; i < m.n; ++i) {
      for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) rows[i].push_back({m.neighbours[k], m.couplings[k]});
      if (m.fields[i] != 0) {
        rows[i].push_back({m.n, m.fields[i]});
        rows[m.n].push_back({i, m.fields[i]});
      }
    }
  }
  void add(int32_t a, int32_t b, double coupling) {
    if (coupling == 0) return;
    add_one_way(a, b, coupling);
    add_one_way(b, a, coupling);
  }
  void drop(int32_t a, int32_t b) {
    auto& row = rows[a];
    const auto it = std::find_if(row.begin(), row.end(), [&](const Bond& x) { return x.to == b; });
    *it = row.back();
    row.pop_back();
  }
  std::vector<std::vector<Bond>> rows;

 private:
  void add_one_way(int32_t a, int32_t b, double coupling) {
    auto& row = rows[a];
    const auto it = std::find_if(row.begin(), row.end(), [&](const Bond& x) { return x.to == b; });
    if (it == row.end()) {
      row.push_back({b, coupling});
    } else if ((it->coupling += coupling) == 0) {
      *it = row.back();
      row.pop_back();
    }
  }
};

}  // namespace

Reduction::Reduction(const Model& model) : n_(model.n) {
  const int32_t n = model.n;
  const auto removable = [&](int32_t i) { return model.offsets[i + 1] - model.offsets[i] + (model.fields[i] != 0) <= 3; };
  int32_t first = 0;
  while (first < n && !removable(first)) ++first;
  if (first == n) {  // dense graphs pay nothing
    kernel_ = model;
    kept_.resize(n);
    std::iota(kept_.begin(), kept_.end(), 0);
    return;
  }
  // Three neighbours halve the unit. Finer weights would cost the integer kernels more than the spin saved, so whole
  // models go to halves and no further.
  const IntegerModel integers = to_integers(model, 1 << 20);
  const double quantum = integers.exact ? integers.unit / 2 : 0;
  const auto representable = [&](double w) { return quantum == 0 || w / quantum == std::floor(w / quantum); };

  Workspace work(model);
  std::vector<char> gone(n + 1, 0);
  std::vector<int32_t> queue;
  for (int32_t i = n - 1; i >= 0; --i)
    if (work.rows[i].size() <= 3) queue.push_back(i);
  while (!queue.empty()) {
    const int32_t i = queue.back();
    queue.pop_back();
    const auto row = work.rows[i];
    if (gone[i] || row.size() > 3) continue;
    double w[3] = {0, 0, 0};
    for (size_t k = 0; k < row.size(); ++k) w[k] = row[k].coupling;
    const double all = std::fabs(w[0] + w[1] + w[2]), not_third = std::fabs(w[0] + w[1] - w[2]);
    const double not_second = std::fabs(w[0] - w[1] + w[2]), not_first = std::fabs(-w[0] + w[1] + w[2]);
    const double j12 = (all + not_third - not_second - not_first) / 4;
    const double j13 = (all - not_third + not_second - not_first) / 4;
    const double j23 = (all - not_third - not_second + not_first) / 4;
    if (row.size() == 3 && !(representable(j12) && representable(j13) && representable(j23))) continue;

    Removed r{i, static_cast<int32_t>(row.size()), {n, n, n}, {w[0], w[1], w[2]}};
    for (size_t k = 0; k < row.size(); ++k) {
      r.neighbour[k] = row[k].to;
      work.drop(row[k].to, i);
    }
    work.rows[i].clear();
    gone[i] = 1;
    removed_.push_back(r);
    if (row.size() >= 2) work.add(row[0].to, row[1].to, j12);
    if (row.size() == 3) {
      work.add(row[0].to, row[2].to, j13);
      work.add(row[1].to, row[2].to, j23);
    }
    for (const Bond& b : row)
      if (b.to != n && work.rows[b.to].size() <= 3) queue.push_back(b.to);
  }

  std::vector<int32_t> index(n + 1, -1);
  for (int32_t i = 0; i < n; ++i) {
    if (gone[i]) continue;
    index[i] = static_cast<int32_t>(kept_.size());
    kept_.push_back(i);
  }
  std::vector<Edge> edges;
  std::vector<double> fields(kept_.size(), 0.0);
  for (const int32_t i : kept_) {
    for (const Bond& b : work.rows[i]) {
      if (b.to == n) {
        fields[index[i]] = b.coupling;
      } else if (b.to > i) {
        edges.push_back({index[i], index[b.to], b.coupling});
      }
    }
  }
  kernel_ = build_model(static_cast<int32_t>(kept_.size()), std::move(edges), std::move(fields));
}

void Reduction::expand(const int8_t* kernel_spins, int8_t* spins) const {
  for (size_t k = 0; k < kept_.size(); ++k) spins[kept_[k]] = kernel_spins[k];
  // Last out, first in: the neighbours of a removed spin were still there when it went.
  for (auto r = removed_.rbegin(); r != removed_.rend(); ++r) {
    double h = 0;
    for (int k = 0; k < r->count; ++k) h += r->coupling[k] * (r->neighbour[k] == n_ ? 1 : spins[r->neighbour[k]]);
    spins[r->spin] = h < 0 ? -1 : 1;
  }
}

bool satisfy_all_bonds(const Model& model, int8_t* spins) {
  std::vector<int32_t> queue;
  std::fill(spins, spins + model.n, 0);
  // Spins with a field have no choice; then one spin of each component that is left is set freely.
  const auto settle = [&](int32_t i, int8_t value) {
    if (spins[i] == 0) {
      spins[i] = value;
      queue.push_back(i);
    }
    return spins[i] == value;
  };
  const auto propagate = [&] {
    while (!queue.empty()) {
      const int32_t i = queue.back();
      queue.pop_back();
      for (int64_t k = model.offsets[i]; k < model.offsets[i + 1]; ++k)
        if (!settle(model.neighbours[k], model.couplings[k] > 0 ? spins[i] : static_cast<int8_t>(-spins[i]))) return false;
    }
    return true;
  };
  for (int32_t i = 0; i < model.n; ++i)
    if (model.fields[i] != 0 && !settle(i, model.fields[i] > 0 ? 1 : -1)) return false;
  if (!propagate()) return false;
  for (int32_t i = 0; i < model.n; ++i)
    if (spins[i] == 0 && !(settle(i, 1) && propagate())) return false;
  return true;
}

}  // namespace xcore::thermo::ising
