#include "thermo/ising/reduction/reduction.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "thermo/ising/model/integer_model.hpp"

namespace xcore::thermo::ising {

namespace {

// Rows are searched from end to end, so neighbours of a hub stay where they are: a million leaves of one spin would cost the
// square of their number.
constexpr int32_t kLongestRow = 4096;

}  // namespace

// Couplings that change, rows in one array. A row that outgrows its room moves to the end. A field is a bond to n, which has no
// row of its own: nothing reads it, and it could be as long as n.
class Reduction::Workspace {
 public:
  explicit Workspace(const Model& m) : n_(m.n), rows_(m.n) {
    bonds_.reserve(2 * (2 * m.edges() + int64_t{kSpare + 1} * m.n));  // twice what is filled at first
    for (int32_t i = 0; i < m.n; ++i) {
      Row& row = rows_[i];
      row.first = static_cast<int64_t>(bonds_.size());
      for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) bonds_.push_back({m.neighbours[k], m.couplings[k]});
      if (m.fields[i] != 0) bonds_.push_back({m.n, m.fields[i]});
      row.size = static_cast<int32_t>(static_cast<int64_t>(bonds_.size()) - row.first);
      row.room = row.size;
      if (row.size < 2) continue;  // is removed before it could grow
      row.room += kSpare;
      bonds_.resize(row.first + row.room);
    }
  }
  int32_t size(int32_t i) const { return rows_[i].size; }
  const Bond* begin(int32_t i) const { return bonds_.data() + rows_[i].first; }
  const Bond* end(int32_t i) const { return begin(i) + rows_[i].size; }

  void add(int32_t a, int32_t b, double coupling) {
    if (coupling == 0) return;
    add_one_way(a, b, coupling);
    add_one_way(b, a, coupling);
  }
  void drop(int32_t a, int32_t b) {
    if (a != n_) erase(rows_[a], find(rows_[a], b));
  }
  void clear(int32_t i) { rows_[i].size = 0; }

 private:
  static constexpr int32_t kSpare = 2;
  struct Row {
    int64_t first;
    int32_t size, room;
  };
  Bond* find(const Row& row, int32_t b) {
    Bond* const first = bonds_.data() + row.first;
    return std::find_if(first, first + row.size, [&](const Bond& x) { return x.to == b; });
  }
  void erase(Row& row, Bond* bond) { *bond = bonds_[row.first + --row.size]; }
  void add_one_way(int32_t a, int32_t b, double coupling) {
    if (a == n_) return;
    Row& row = rows_[a];
    Bond* const bond = find(row, b);
    if (bond != bonds_.data() + row.first + row.size) {
      if ((bond->coupling += coupling) == 0) erase(row, bond);
      return;
    }
    if (row.size == row.room) {
      const int64_t first = static_cast<int64_t>(bonds_.size());
      row.room = 2 * row.room + kSpare;
      bonds_.resize(first + row.room);
      std::copy_n(bonds_.begin() + row.first, row.size, bonds_.begin() + first);
      row.first = first;
    }
    bonds_[row.first + row.size++] = {b, coupling};
  }

  int32_t n_;
  std::vector<Row> rows_;
  std::vector<Bond> bonds_;
};

Reduction::Reduction(const Model& model, const std::function<bool()>& stop) : n_(model.n) {
  const int32_t n = model.n;
  const auto removable = [&](int32_t i) { return model.offsets[i + 1] - model.offsets[i] + (model.fields[i] != 0) <= 3; };
  int64_t candidates = 0;
  for (int32_t i = 0; i < n; ++i) candidates += removable(i);
  if (64 * candidates < n) {  // dense graphs pay nothing
    whole_ = &model;
    kept_.resize(n);
    std::iota(kept_.begin(), kept_.end(), 0);
    return;
  }
  // Three neighbours halve the unit. Finer weights would cost the integer kernels more than the spin saved, so whole
  // models go to halves and no further.
  const double quantum = exact_unit(model, 1 << 20) / 2;
  const auto representable = [&](double w) { return quantum == 0 || w / quantum == std::floor(w / quantum); };

  Workspace work(model);
  std::vector<char> gone(n + 1, 0);
  // Spins of fewer bonds go first: removing them adds none to their neighbours.
  std::vector<int32_t> queues[4];
  const auto put = [&](int32_t i) {
    if (work.size(i) <= 3) queues[work.size(i)].push_back(i);
  };
  for (int32_t i = n - 1; i >= 0; --i) put(i);
  for (int64_t step = 0;; ++step) {
    int least = 0;
    while (least < 4 && queues[least].empty()) ++least;
    if (least == 4 || ((step & 1023) == 1023 && stop())) break;
    const int32_t i = queues[least].back();
    queues[least].pop_back();
    const int32_t count = work.size(i);
    if (gone[i] || count != least) continue;  // removed, or put elsewhere since
    Bond row[3];  // a copy: the rows are about to change
    std::copy(work.begin(i), work.end(i), row);
    if (std::any_of(row, row + count, [&](const Bond& b) { return b.to != n && work.size(b.to) > kLongestRow; })) continue;
    double w[3] = {0, 0, 0};
    for (int32_t k = 0; k < count; ++k) w[k] = row[k].coupling;
    const double all = std::fabs(w[0] + w[1] + w[2]), not_third = std::fabs(w[0] + w[1] - w[2]);
    const double not_second = std::fabs(w[0] - w[1] + w[2]), not_first = std::fabs(-w[0] + w[1] + w[2]);
    const double j12 = (all + not_third - not_second - not_first) / 4;
    const double j13 = (all - not_third + not_second - not_first) / 4;
    const double j23 = (all - not_third - not_second + not_first) / 4;
    if (count == 3 && !(representable(j12) && representable(j13) && representable(j23))) continue;

    for (int32_t k = 0; k < count; ++k) work.drop(row[k].to, i);
    work.clear(i);
    gone[i] = 1;
    removed_.push_back({i, count});
    bonds_.insert(bonds_.end(), row, row + count);
    if (count >= 2) work.add(row[0].to, row[1].to, j12);
    if (count == 3) {
      work.add(row[0].to, row[2].to, j13);
      work.add(row[1].to, row[2].to, j23);
    }
    for (int32_t k = 0; k < count; ++k)
      if (row[k].to != n) put(row[k].to);
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
    for (const Bond* b = work.begin(i); b != work.end(i); ++b) {
      if (b->to == n) {
        fields[index[i]] = b->coupling;
      } else if (b->to > i) {
        edges.push_back({index[i], index[b->to], b->coupling});
      }
    }
  }
  kernel_ = build_model(static_cast<int32_t>(kept_.size()), std::move(edges), std::move(fields));
}

void Reduction::expand(const int8_t* kernel_spins, int8_t* spins) const {
  for (size_t k = 0; k < kept_.size(); ++k) spins[kept_[k]] = kernel_spins[k];
  // Last out, first in: the neighbours of a removed spin were still there when it went.
  const Bond* bond = bonds_.data() + bonds_.size();
  for (auto r = removed_.rbegin(); r != removed_.rend(); ++r) {
    double h = 0;
    bond -= r->count;
    for (int k = 0; k < r->count; ++k) h += bond[k].coupling * (bond[k].to == n_ ? 1 : spins[bond[k].to]);
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
