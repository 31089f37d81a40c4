// Windows of the Gaussian and the binned estimator.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "te/gaussian/gaussian.hpp"
#include "te/stream/window_sums.hpp"

namespace xcore::te {
namespace {

class GaussianWindow : public WindowSums {
 public:
  GaussianWindow(int64_t n, const Blocks& blocks, const xc_te_options& o)
      : n_(n), blocks_(blocks), total_(blocks.total()), correct_(o.bias_correction != 0), tuples_(static_cast<size_t>(total_) * n),
        about_(total_), sum_(total_), product_(static_cast<size_t>(total_) * total_) {}

  void fill(const double* columns) override {
    for (int64_t i = 0; i < n_; ++i)
      for (int32_t c = 0; c < total_; ++c) tuples_[i * total_ + c] = columns[c * n_ + i];
    oldest_ = 0;
    sum_anew();
  }
  void slide(const double* tuple) override {
    double* slot = tuples_.data() + oldest_ * total_;
    add(slot, -1);
    std::copy_n(tuple, total_, slot);
    add(slot, 1);
    oldest_ = (oldest_ + 1) % n_;
    if (oldest_ == 0) sum_anew();  // rounding does not pile up over more than a window
  }
  double value() const override {
    const double n = static_cast<double>(n_);
    std::vector<double> correlation(product_.size());
    std::vector<double> deviation(total_);
    for (int32_t a = 0; a < total_; ++a) {
      const double variance = product_[a * total_ + a] - sum_[a] * sum_[a] / n;
      deviation[a] = variance > 1e-14 * product_[a * total_ + a] ? std::sqrt(variance) : 0;
    }
    for (int32_t a = 0; a < total_; ++a)
      for (int32_t b = 0; b < total_; ++b)
        correlation[a * total_ + b] = deviation[a] > 0 && deviation[b] > 0
                                          ? (a == b ? 1 : (product_[a * total_ + b] - sum_[a] * sum_[b] / n) / deviation[a] / deviation[b])
                                          : 0;
    const double te = gaussian_te_of(correlation, blocks_.past, blocks_.source, blocks_.future);
    return correct_ ? te - static_cast<double>(blocks_.source) * blocks_.future / (2 * n) : te;
  }

 private:
  void add(const double* tuple, double sign) {
    for (int32_t a = 0; a < total_; ++a) {
      const double x = tuple[a] - about_[a];
      sum_[a] += sign * x;
      for (int32_t b = 0; b <= a; ++b) {
        product_[a * total_ + b] += sign * x * (tuple[b] - about_[b]);
        product_[b * total_ + a] = product_[a * total_ + b];
      }
    }
  }
  void sum_anew() {
    for (int32_t c = 0; c < total_; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < n_; ++i) sum += tuples_[i * total_ + c];
      about_[c] = sum / static_cast<double>(n_);
    }
    std::fill(sum_.begin(), sum_.end(), 0.0);
    std::fill(product_.begin(), product_.end(), 0.0);
    for (int64_t i = 0; i < n_; ++i) add(tuples_.data() + i * total_, 1);
  }
  int64_t n_, oldest_ = 0;
  Blocks blocks_;
  int32_t total_;
  bool correct_;
  std::vector<double> tuples_, about_, sum_, product_;
};

class BinnedWindow : public WindowSums {
 public:
  BinnedWindow(int64_t n, const Blocks& blocks, const xc_te_options& o)
      : n_(n), blocks_(blocks), bins_(o.bins), correct_(o.bias_correction != 0), tuples_(static_cast<size_t>(n) * blocks.total()) {}

  void fill(const double* columns) override {
    const int32_t total = blocks_.total();
    for (auto* table : {&p_, &sp_, &fp_, &sfp_}) table->clear();
    for (int64_t i = 0; i < n_; ++i) {
      for (int32_t c = 0; c < total; ++c) tuples_[i * total + c] = static_cast<int32_t>(columns[c * n_ + i]);
      add(i, 1);
    }
    oldest_ = 0;
  }
  void slide(const double* tuple) override {
    const int32_t total = blocks_.total();
    add(oldest_, -1);
    for (int32_t c = 0; c < total; ++c) tuples_[oldest_ * total + c] = static_cast<int32_t>(tuple[c]);
    add(oldest_, 1);
    oldest_ = (oldest_ + 1) % n_;
  }
  double value() const override {
    const double n = static_cast<double>(n_);
    const auto sum = [](const Table& table) {
      double s = 0;
      for (const auto& cell : table) s += cell.second * std::log(static_cast<double>(cell.second));
      return s;
    };
    double te = (sum(sfp_) + sum(p_) - sum(sp_) - sum(fp_)) / n;
    if (correct_) te -= (static_cast<double>(sfp_.size()) + static_cast<double>(p_.size()) - static_cast<double>(sp_.size()) - static_cast<double>(fp_.size())) / (2 * n);
    return te;
  }

 private:
  using Table = std::unordered_map<uint64_t, int32_t>;
  uint64_t code(const int32_t* symbols, int32_t from, int32_t to, uint64_t start) const {
    for (int32_t c = from; c < to; ++c) start = start * static_cast<uint64_t>(bins_) + static_cast<uint64_t>(symbols[c]);
    return start;
  }
  static void change(Table& table, uint64_t cell, int32_t sign) {
    const auto at = table.emplace(cell, 0).first;
    at->second += sign;
    if (at->second == 0) table.erase(at);
  }
  void add(int64_t tuple, int32_t sign) {
    const int32_t* t = tuples_.data() + tuple * blocks_.total();
    const int32_t ps = blocks_.past + blocks_.source;
    const uint64_t p = code(t, 0, blocks_.past, 0), fp = code(t, ps, blocks_.total(), p);
    change(p_, p, sign);
    change(fp_, fp, sign);
    change(sp_, code(t, blocks_.past, ps, p), sign);
    change(sfp_, code(t, blocks_.past, ps, fp), sign);
  }
  int64_t n_, oldest_ = 0;
  Blocks blocks_;
  int32_t bins_;
  bool correct_;
  std::vector<int32_t> tuples_;
  Table p_, sp_, fp_, sfp_;
};

}  // namespace

std::unique_ptr<WindowSums> make_gaussian_window(int64_t n, const Blocks& blocks, const xc_te_options& o) {
  return std::make_unique<GaussianWindow>(n, blocks, o);
}

std::unique_ptr<WindowSums> make_binned_window(int64_t n, const Blocks& blocks, const xc_te_options& o) {
  if (blocks.total() * std::log2(static_cast<double>(o.bins)) > 63) return nullptr;
  return std::make_unique<BinnedWindow>(n, blocks, o);
}

}  // namespace xcore::te
