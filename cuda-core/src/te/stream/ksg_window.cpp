#include <algorithm>
#include <cmath>
#include <limits>

#include "te/ksg/ksg.hpp"
#include "te/stream/window_sums.hpp"

namespace xcore::te {
namespace {

template <class T>
class KsgWindow : public WindowSums {
 public:
  KsgWindow(int64_t n, const Blocks& blocks, const xc_te_options& o)
      : n_(n), blocks_(blocks), k_(o.k), theiler_(o.theiler), second_(o.estimator == XC_TE_KSG2), psi_(digamma_table(n + 1)),
        columns_(static_cast<size_t>(blocks.total()) * n), time_(n), eps_(n), radius_(second_ ? n : 0), counts_(n), dp_(n), df_(n),
        ds_(n), nearest_(o.k) {
    problem_.n = n, problem_.k = o.k, problem_.past_dims = blocks.past, problem_.algorithm = second_ ? 2 : 1;
  }

  void fill(const double* columns) override {
    for (size_t i = 0; i < columns_.size(); ++i) columns_[i] = static_cast<T>(columns[i]);
    for (int64_t i = 0; i < n_; ++i) time_[i] = i;
    oldest_ = 0;
    for (int64_t i = 0; i < n_; ++i) count(i);
  }

  void slide(const double* tuple) override {
    dirty_.clear();
    const int64_t slot = oldest_;
    distances(slot);
    for (int64_t i = 0; i < n_; ++i) {
      if (i == slot || !allowed(i, slot)) continue;
      const T joint = std::max(dp_[i], std::max(ds_[i], df_[i]));
      if (joint <= eps_[i]) dirty_.push_back(i);
      else add(i, -1);
    }
    for (int32_t c = 0; c < blocks_.total(); ++c) columns_[c * n_ + slot] = static_cast<T>(tuple[c]);
    time_[slot] += n_;
    oldest_ = (oldest_ + 1) % n_;
    distances(slot);
    for (int64_t i = 0; i < n_; ++i) {
      if (i == slot || !allowed(i, slot)) continue;
      const T joint = std::max(dp_[i], std::max(ds_[i], df_[i]));
      if (joint < eps_[i] || (second_ && joint == eps_[i])) dirty_.push_back(i);
      else add(i, 1);
    }
    dirty_.push_back(slot);
    std::sort(dirty_.begin(), dirty_.end());
    dirty_.erase(std::unique(dirty_.begin(), dirty_.end()), dirty_.end());
    for (const int64_t i : dirty_) count(i);
  }

  double value() const override {
    std::vector<KsgCounts> ordered(counts_.begin() + oldest_, counts_.end());
    ordered.insert(ordered.end(), counts_.begin(), counts_.begin() + oldest_);
    return ksg_value(problem_, ordered.data(), psi_, nullptr);
  }

 private:
  struct Radius {
    T past, source, future;
  };
  bool allowed(int64_t i, int64_t j) const { return std::llabs(time_[i] - time_[j]) > theiler_; }

  void block(int32_t from, int32_t to, int64_t own, Scratch<T>& out) const {
    std::fill(out.begin(), out.end(), T(0));
    for (int32_t c = from; c < to; ++c) {
      const T* x = columns_.data() + c * n_;
      const T at = x[own];
      T* d = out.data();
      for (int64_t j = 0; j < n_; ++j) d[j] = std::max(d[j], std::fabs(x[j] - at));
    }
  }
  void distances(int64_t own) {
    block(0, blocks_.past, own, dp_);
    block(blocks_.past, blocks_.past + blocks_.source, own, ds_);
    block(blocks_.past + blocks_.source, blocks_.total(), own, df_);
  }
  // What the tuple at the distances in dp_, ds_, df_ means to the counts of tuple i.
  void add(int64_t i, int32_t sign) {
    KsgCounts& c = counts_[i];
    if (second_) {
      const Radius& r = radius_[i];
      if (blocks_.past > 0 && !(dp_[i] <= r.past)) return;
      c.past += sign, c.source_past += ds_[i] <= r.source ? sign : 0, c.future_past += df_[i] <= r.future ? sign : 0;
    } else {
      const T eps = eps_[i];
      if (blocks_.past > 0 && !(dp_[i] < eps)) return;
      c.past += sign, c.source_past += ds_[i] < eps ? sign : 0, c.future_past += df_[i] < eps ? sign : 0;
    }
    if (blocks_.past == 0) c.past = static_cast<int32_t>(n_) - (second_ ? 0 : 1);
  }

  // Tuple i from nothing.
  void count(int64_t i) {
    distances(i);
    std::fill(nearest_.begin(), nearest_.end(), Near{std::numeric_limits<T>::infinity(), std::numeric_limits<int64_t>::max(), -1});
    for (int64_t j = 0; j < n_; ++j) {
      const T joint = std::max(dp_[j], std::max(ds_[j], df_[j]));
      if (joint > nearest_.back().distance || !allowed(i, j)) continue;
      const Near near{joint, time_[j], j};
      if (!(near < nearest_.back())) continue;
      size_t at = nearest_.size() - 1;
      for (; at > 0 && near < nearest_[at - 1]; --at) nearest_[at] = nearest_[at - 1];
      nearest_[at] = near;
    }
    eps_[i] = nearest_.back().distance;
    if (second_) {
      Radius r{0, 0, 0};
      for (const Near& near : nearest_) {
        if (near.slot < 0) continue;
        r.past = std::max(r.past, dp_[near.slot]), r.source = std::max(r.source, ds_[near.slot]), r.future = std::max(r.future, df_[near.slot]);
      }
      radius_[i] = r;
    }
    KsgCounts c{0, 0, 0};
    const T rp = second_ ? radius_[i].past : eps_[i], rs = second_ ? radius_[i].source : eps_[i], rf = second_ ? radius_[i].future : eps_[i];
    for (int64_t j = 0; j < n_; ++j) {
      const bool p = blocks_.past == 0 || (second_ ? dp_[j] <= rp : dp_[j] < rp);
      const int32_t in = p && allowed(i, j);
      c.past += in;
      c.source_past += in & static_cast<int32_t>(second_ ? ds_[j] <= rs : ds_[j] < rs);
      c.future_past += in & static_cast<int32_t>(second_ ? df_[j] <= rf : df_[j] < rf);
    }
    if (blocks_.past == 0) c.past = static_cast<int32_t>(n_) - (second_ ? 0 : 1);
    counts_[i] = c;
  }

  struct Near {
    T distance;
    int64_t time, slot;
    bool operator<(const Near& o) const { return distance < o.distance || (distance == o.distance && time < o.time); }
  };
  int64_t n_;
  Blocks blocks_;
  int32_t k_, theiler_;
  bool second_;
  std::vector<double> psi_;
  KsgProblem problem_;
  Scratch<T> columns_;
  std::vector<int64_t> time_;
  Scratch<T> eps_;
  Scratch<Radius> radius_;
  std::vector<KsgCounts> counts_;
  Scratch<T> dp_, df_, ds_;
  std::vector<Near> nearest_;
  std::vector<int64_t> dirty_;
  int64_t oldest_ = 0;
};

}  // namespace

std::unique_ptr<WindowSums> make_ksg_window(int64_t n, const Blocks& blocks, const xc_te_options& o) {
  if (o.single_precision) return std::make_unique<KsgWindow<float>>(n, blocks, o);
  return std::make_unique<KsgWindow<double>>(n, blocks, o);
}

}  // namespace xcore::te
