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

// Where in a column a value stands, without bisection: the range of the column in cells of equal width, and for each the
// first rank of a value in it or beyond. A search then begins some places before its end, wherever that is; `crowded`
// cells are left to bisection.
template <class T>
struct RankLookup {
  const T* sorted = nullptr;
  const int32_t* first = nullptr;  // cells + 1
  double low = 0, scale = 0;
  int32_t cells = 1;

  static constexpr int32_t kCrowded = 32;
  int32_t cell(T value) const {
    const double at = (static_cast<double>(value) - low) * scale;  // monotone in value; NaN goes to 0
    return at > 0 ? (at < cells - 1 ? static_cast<int32_t>(at) : cells - 1) : 0;
  }
  bool crowded(int32_t c) const { return first[c + 1] - first[c] > kCrowded; }
};

// `first` takes the table that the lookup points to.
template <class T>
RankLookup<T> make_lookup(const RankedColumn<T>& column, Scratch<int32_t>& first);

// Radix sort of the values as 32-bit fractions of their range, without a branch on the data; what those do not tell
// apart is sorted by comparison, so the worst case is n log n. Values must be finite.
template <class T>
void rank_column(const T* values, int64_t n, RankedColumn<T>& out);

extern template void rank_column<double>(const double*, int64_t, RankedColumn<double>&);
extern template void rank_column<float>(const float*, int64_t, RankedColumn<float>&);
extern template RankLookup<double> make_lookup<double>(const RankedColumn<double>&, Scratch<int32_t>&);
extern template RankLookup<float> make_lookup<float>(const RankedColumn<float>&, Scratch<int32_t>&);

}  // namespace xcore::te
