#include "thermo/assignment/knapsack.hpp"

#include <algorithm>

#include "runtime/cpu_features.hpp"

namespace xcore::thermo {
namespace {

void next_row(const double* row, double* next, int32_t capacity, int32_t weight, double profit) {
#if defined(__x86_64__)
  static const CpuLevel level = cpu_features().level;
  if (level >= CpuLevel::avx512) return knapsack_row_avx512(row, next, capacity, weight, profit);
  if (level >= CpuLevel::avx2) return knapsack_row_avx2(row, next, capacity, weight, profit);
#endif
  knapsack_row_portable(row, next, capacity, weight, profit);
}

}  // namespace

double Knapsack::best_split(const double* before, const double* after, int32_t capacity) {
#if defined(__x86_64__)
  static const CpuLevel level = cpu_features().level;
  if (level >= CpuLevel::avx512) return knapsack_split_avx512(before, after, capacity);
  if (level >= CpuLevel::avx2) return knapsack_split_avx2(before, after, capacity);
#endif
  return knapsack_split_portable(before, after, capacity);
}

double Knapsack::solve(const std::vector<KnapsackItem>& items, int32_t capacity) {
  items_ = &items;
  capacity_ = capacity;
  const size_t needed = (items.size() + 1) * width();
  if (forward_.size() < needed) forward_.resize(needed);
  std::fill_n(forward_.begin(), width(), 0.0);
  for (size_t k = 0; k < items.size(); ++k)
    next_row(forward_.data() + k * width(), forward_.data() + (k + 1) * width(), capacity, items[k].weight, items[k].profit);
  return best_ = forward_[items.size() * width() + capacity];
}

void Knapsack::backward() {
  const size_t n = items_->size();
  if (backward_.size() < (n + 1) * width()) backward_.resize((n + 1) * width());
  std::fill_n(backward_.begin() + n * width(), width(), 0.0);
  for (size_t k = n; k-- > 0;)
    next_row(backward_.data() + (k + 1) * width(), backward_.data() + k * width(), capacity_, (*items_)[k].weight,
             (*items_)[k].profit);
}

}  // namespace xcore::thermo
