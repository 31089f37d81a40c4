// Where in an ascending column a radius ends: a table of equal cells of the column's range leads to a few neighbouring values,
// which are then bisected. Exact: the ends are those of the definition's strict comparison of rounded differences.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

__device__ __forceinline__ float minus_down(float a, float b) { return __fsub_rd(a, b); }
__device__ __forceinline__ double minus_down(double a, double b) { return __dsub_rd(a, b); }
__device__ __forceinline__ float plus_down(float a, float b) { return __fadd_rd(a, b); }
__device__ __forceinline__ double plus_down(double a, double b) { return __dadd_rd(a, b); }
// The number before a positive one.
__device__ __forceinline__ float before(float x) { return __int_as_float(__float_as_int(x) - 1); }
__device__ __forceinline__ double before(double x) { return __longlong_as_double(__double_as_longlong(x) - 1); }

template <class T>
struct CellScale {
  T low, scale;
};

// Monotone in the value, beyond the ends too.
template <class T>
__device__ __forceinline__ int cell_of(T value, const CellScale<T>& s, int cells) {
  const T at = (value - s.low) * s.scale;
  const int cell = at > T(0) ? static_cast<int>(at < T(cells) ? at : T(cells)) : 0;
  return cell < cells ? cell : cells - 1;
}

// One block a column of `sorted` [columns][n]. first[column][c]: how many values have a cell before c; c = 0..cells + 1.
template <class T>
__global__ void grid_kernel(const T* sorted, int n, int cells, uint16_t* first, CellScale<T>* scales) {
  const T* column = sorted + static_cast<int64_t>(blockIdx.x) * n;
  uint16_t* out = first + static_cast<int64_t>(blockIdx.x) * (cells + 2);
  const T range = column[n - 1] - column[0];
  T scale = static_cast<T>(cells) / range;
  if (!(scale > 0) || !(scale < infinity<T>())) scale = 0;
  const CellScale<T> s{column[0], scale};
  if (threadIdx.x == 0) scales[blockIdx.x] = s;
  for (int r = threadIdx.x; r <= n; r += blockDim.x) {
    const int from = r == 0 ? 0 : cell_of(column[r - 1], s, cells) + 1, to = r == n ? cells + 1 : cell_of(column[r], s, cells);
    for (int c = from; c <= to; ++c) out[c] = static_cast<uint16_t>(r);
  }
}

// How many of values[0..n), ascending, lie at or before `x - eps` and how many before `x + eps`, for eps > 0.
template <class T>
__device__ __forceinline__ void range_of(const T* values, int n, const uint16_t* first, const CellScale<T>& s, int cells, T x, T eps, int& low, int& high) {
  const T least = before(eps);
  // Cells before these are surely on their side; the end lies in this cell or the next.
  const int low_cell = cell_of(minus_down(x, eps), s, cells), high_cell = cell_of(plus_down(x, least), s, cells);
  int l = first[low_cell], h = first[high_cell];
  int l_end = first[min(low_cell + 2, cells + 1)], h_end = first[min(high_cell + 2, cells + 1)];
  // Both ends together and without branches: a found one stays.
  while (l < l_end || h < h_end) {
    const int l_middle = (l + l_end) >> 1, h_middle = (h + h_end) >> 1;
    const bool l_open = l < l_end, h_open = h < h_end;
    const bool l_behind = x - values[min(l_middle, n - 1)] >= eps, h_behind = values[min(h_middle, n - 1)] - x < eps;
    l = l_open && l_behind ? l_middle + 1 : l;
    l_end = l_open && !l_behind ? l_middle : l_end;
    h = h_open && h_behind ? h_middle + 1 : h;
    h_end = h_open && !h_behind ? h_middle : h_end;
  }
  low = l;
  high = h;
}

// How many values are about eps away from x, if that is none or one; else more than one. [low, high) is the range of eps.
template <class T>
__device__ __forceinline__ int close_to(const T* values, int n, T x, T eps, T margin, int low, int high) {
  const bool before_low = low > 0 && x - values[low - 1] - eps <= margin, at_low = eps - (x - values[low]) <= margin;
  const bool before_high = eps - (values[high - 1] - x) <= margin, at_high = high < n && values[high] - x - eps <= margin;
  int close = before_low + at_low + before_high + at_high;
  if (close == 1) {
    const int next = before_low ? low - 2 : at_low ? low + 1 : before_high ? high - 2 : high + 1;
    if (next >= 0 && next < n) close += absolute(absolute(values[next] - x) - eps) <= margin;
  }
  return close;
}

}  // namespace xcore::te
