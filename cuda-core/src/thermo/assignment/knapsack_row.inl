// The inner loops of knapsack.cpp, compiled once per instruction set. Additions and maxima only: all give the same bits.
#include <algorithm>
#include <cstring>

#include "thermo/assignment/knapsack.hpp"

namespace xcore::thermo {
namespace {

inline void knapsack_row(const double* __restrict row, double* __restrict next, int32_t capacity, int32_t weight, double profit) {
  const int32_t start = std::min(weight, capacity + 1);
  std::memcpy(next, row, sizeof(double) * static_cast<size_t>(start));
  const double* __restrict shifted = row - weight;
  for (int32_t w = start; w <= capacity; ++w) {
    const double with = shifted[w] + profit, without = row[w];
    next[w] = with > without ? with : without;
  }
}

inline double knapsack_split(const double* __restrict before, const double* __restrict after, int32_t capacity) {
  double best[8];
  for (double& b : best) b = -1e300;
  int32_t w = 0;
  for (; w + 8 <= capacity + 1; w += 8)
    for (int k = 0; k < 8; ++k) {
      const double sum = before[w + k] + after[capacity - w - k];
      best[k] = sum > best[k] ? sum : best[k];
    }
  for (; w <= capacity; ++w) best[0] = std::max(best[0], before[w] + after[capacity - w]);
  return *std::max_element(best, best + 8);
}

}  // namespace
}  // namespace xcore::thermo
