#include "thermo/ising/reduction/reduction.hpp"

#include <algorithm>
#include <cmath>

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

}  // namespace xcore::thermo::ising
