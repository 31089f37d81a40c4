// A column and its ascending order. Counting the values within a radius then becomes counting ranks in a range: the
// computed difference x_j - x_i never falls when x_j grows (rounding is monotone), so the j with |x_j - x_i| < eps are
// contiguous in rank, exactly as the definition counts them.
#pragma once

#include <cstdint>
#include "te/scratch.hpp"

namespace xcore::te {

template <class T>
struct RankedColumn {
  Scratch<T> sorted;           // ascending
  Scratch<int32_t> order;      // rank -> row; rows with equal values in order of their index
  Scratch<int32_t> rank;       // row -> rank
};

// Radix sort of the values as 32-bit fractions of their range, without a branch on the data; what those do not tell
// apart is sorted by comparison, so the worst case is n log n. Values must be finite.
template <class T>
void rank_column(const T* values, int64_t n, RankedColumn<T>& out);

extern template void rank_column<double>(const double*, int64_t, RankedColumn<double>&);
extern template void rank_column<float>(const float*, int64_t, RankedColumn<float>&);

}  // namespace xcore::te
