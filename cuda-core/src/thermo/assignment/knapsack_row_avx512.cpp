#include "thermo/assignment/knapsack_row.inl"

namespace xcore::thermo {
void knapsack_row_avx512(const double* row, double* next, int32_t capacity, int32_t weight, double profit) {
  knapsack_row(row, next, capacity, weight, profit);
}
double knapsack_split_avx512(const double* before, const double* after, int32_t capacity) {
  return knapsack_split(before, after, capacity);
}
}  // namespace xcore::thermo
