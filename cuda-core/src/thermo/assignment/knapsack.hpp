// 0/1 knapsacks with real profits and small whole weights, by dynamic programming over the capacity.
// S. Martello, P. Toth, "Knapsack Problems", 1990, section 2.6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xcore::thermo {

struct KnapsackItem {
  double profit;  // above 0
  int32_t weight;
  int32_t job;
};

class Knapsack {
 public:
  // The largest profit of items whose weights fit. Afterwards `taken` and `losses` speak of this problem.
  double solve(const std::vector<KnapsackItem>& items, int32_t capacity);
  // Calls f(job) for each item of one best choice.
  template <class F>
  void taken(F&& f) const {
    int32_t w = capacity_;
    for (size_t k = items_->size(); k-- > 0;) {
      const double* row = forward_.data() + k * width();
      if (row[width() + w] != row[w]) {
        f((*items_)[k].job);
        w -= (*items_)[k].weight;
      }
    }
  }
  // What the best profit falls by when an item is forced in, and when it is kept out: f(index, loss_in, loss_out);
  // 1e300 when it cannot be in.
  template <class F>
  void losses(F&& f) {
    backward();
    const size_t n = items_->size();
    for (size_t k = 0; k < n; ++k) {
      const KnapsackItem& item = (*items_)[k];
      const double* before = forward_.data() + k * width();
      const double* after = backward_.data() + (k + 1) * width();
      const double out = best_split(before, after, capacity_);
      const double in = item.weight > capacity_ ? -1e300 : item.profit + best_split(before, after, capacity_ - item.weight);
      f(k, best_ - in, best_ - out);
    }
  }
  // The largest profit within a smaller capacity (0 to the solved one).
  double within(int32_t capacity) const { return forward_[items_->size() * width() + capacity]; }

 private:
  size_t width() const { return static_cast<size_t>(capacity_) + 1; }
  void backward();
  static double best_split(const double* before, const double* after, int32_t capacity);

  const std::vector<KnapsackItem>* items_ = nullptr;
  int32_t capacity_ = 0;
  double best_ = 0;
  std::vector<double> forward_, backward_;  // [items + 1][capacity + 1]; backward row k: of items k and after
};

// next[w] = max(row[w], row[w - weight] + profit), one compiled for each instruction set.
void knapsack_row_portable(const double* row, double* next, int32_t capacity, int32_t weight, double profit);
void knapsack_row_avx2(const double* row, double* next, int32_t capacity, int32_t weight, double profit);
void knapsack_row_avx512(const double* row, double* next, int32_t capacity, int32_t weight, double profit);
// max_w before[w] + after[capacity - w]
double knapsack_split_portable(const double* before, const double* after, int32_t capacity);
double knapsack_split_avx2(const double* before, const double* after, int32_t capacity);
double knapsack_split_avx512(const double* before, const double* after, int32_t capacity);

}  // namespace xcore::thermo
