// n_SP for one column of P and one of S.
//
// |P| < eps and |S| < eps are ranges of ranks, so n_SP is a count in a rectangle of a permutation, by corners: for each pair a
// table holds, for every `step`-th rank a of S, the set of tuples with S-rank < a as bits in the order of P, and before each
// word of it how many there are. So a corner is a count and the population of part of a word; at most step / 2 tuples at
// either edge are looked at singly.
#pragma once

#include "te/network/ksg/ksg_walk.cuh"

namespace xcore::te {

constexpr int kColumnsPerBlock = 8;  // source columns that one block of threads serves, one after the other

template <class T>
struct CountArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  const Radius<T>* radii;
  int cells;
  const uint16_t* source_cells;       // [variable][cells + 2]
  const CellScale<T>* source_scales;  // [variable]
  const uint16_t* past_rank;          // [variable][n]: tuple -> P-rank
  const uint32_t* visit;              // of the walk; ksg_squares
  const Fixed* psi;
  Fixed* sums;  // [task][32]
  Doubts doubts;
};

struct BitTable {
  int step, shift, pitch, rows;  // pitch: words of a row, one more than the tuples need and odd
};

template <class T>
inline size_t corners_shared(int64_t n, int cells, const BitTable& table) {
  const size_t entries = static_cast<size_t>(table.rows) * table.pitch, even = (n + 3) / 4 * 4;
  return (n + 2) * sizeof(Fixed) + even * sizeof(T) + entries * sizeof(uint32_t) + (3 * even + (entries + 3) / 4 * 4 + cells + 2) * sizeof(uint16_t);
}

// Tuples with a rank below that of table row `row` and a P-rank below p.
__device__ __forceinline__ int in_corner(const uint32_t* bits, const uint16_t* before, int row_start, int p) {
  const int at = row_start + p / 32;
  return before[at] + __popc(bits[at] & ((1u << (p % 32)) - 1));
}

// How many tuples have a rank of [low, high) on the table's axis and a P-rank of [p_low, p_high).
__device__ __forceinline__ int in_rectangle(const uint32_t* bits, const uint16_t* before, const BitTable& table, const uint16_t* across,
                                            int n, int low, int high, int p_low, int p_high) {
  const int low_row = (low + table.step / 2) >> table.shift, high_row = (high + table.step / 2) >> table.shift;
  const int l = low_row * table.pitch, h = high_row * table.pitch;
  int count = in_corner(bits, before, h, p_high) - in_corner(bits, before, h, p_low) - in_corner(bits, before, l, p_high) +
              in_corner(bits, before, l, p_low);
  const unsigned wide = p_high - p_low;
  const int low_edge = min(low_row << table.shift, n), high_edge = min(high_row << table.shift, n);
  const int low_sign = low < low_edge ? 1 : -1, high_sign = high > high_edge ? 1 : -1;
  for (int m = min(low, low_edge), to = max(low, low_edge); m < to; ++m) count += static_cast<unsigned>(across[m] - p_low) < wide ? low_sign : 0;
  for (int m = min(high, high_edge), to = max(high, high_edge); m < to; ++m) count += static_cast<unsigned>(across[m] - p_low) < wide ? high_sign : 0;
  return count;
}

// From bits at (row + 1, P-rank) to a table: rows gather what is above them, counts what is before them. By a block of threads.
template <int kThreads>
__device__ __forceinline__ void accumulate(uint32_t* bits, uint16_t* before, const BitTable& table) {
  for (int word = threadIdx.x; word < table.pitch; word += kThreads) {
    uint32_t seen = 0;
#pragma unroll 8
    for (int row = 1; row < table.rows; ++row) {
      seen |= bits[row * table.pitch + word];
      bits[row * table.pitch + word] = seen;
    }
  }
  __syncthreads();
  for (int row = threadIdx.x; row < table.rows; row += kThreads) {
    int count = 0;
#pragma unroll 4
    for (int word = 0; word < table.pitch; ++word) {
      before[row * table.pitch + word] = static_cast<uint16_t>(count);
      count += __popc(bits[row * table.pitch + word]);
    }
  }
}

// A block's sum of what its threads found, to `sum`.
template <int kThreads>
__device__ __forceinline__ void add_block(Fixed value, Fixed* sum) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kFull, value, step);
  if (threadIdx.x % 32 == 0) add_to(sum, value);
}

// Takes the tuples of the Theiler window, without the tuple itself, out of n_SP again.
template <class T>
__device__ __forceinline__ int in_window(int tuple, int theiler, int n, const uint16_t* past_rank, const uint16_t* own_rank, const T* sorted, int low,
                                         int high, T s, T eps) {
  int count = 0;
  const int to = min(n - 1, tuple + theiler);
  for (int other = max(0, tuple - theiler); other <= to; ++other) {
    const int p = past_rank[other];
    if (other == tuple || static_cast<unsigned>(p - low) >= static_cast<unsigned>(high - low)) continue;
    count += absolute(sorted[own_rank[p]] - s) < eps;
  }
  return count;
}

// Whether the count of S within eps is beyond doubt, given what the walk noted.
template <class T>
__device__ __forceinline__ bool certain(const T* sorted, int n, T s, T magnitude, T eps, bool near_source, int low, int high) {
  if (!kDoubts<T>) return true;
  return close_to(sorted, n, s, eps, margin_of(magnitude, eps), low, high) == static_cast<int>(near_source);
}

template <class T, int kThreads, int kBlocks>
__global__ void __launch_bounds__(kThreads, kBlocks) corners_kernel(CountArgs<T> w, BitTable table) {
  extern __shared__ double shared_doubles[];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n), even = (n + 3) / 4 * 4;
  const int entries = table.rows * table.pitch;
  Fixed* psi = reinterpret_cast<Fixed*>(shared_doubles);
  T* sorted = reinterpret_cast<T*>(psi + n + 2);
  uint32_t* bits = reinterpret_cast<uint32_t*>(sorted + even);
  uint16_t* across = reinterpret_cast<uint16_t*>(bits + entries);  // S-rank -> P-rank
  uint16_t* before = across + even;
  uint16_t* past_rank = before + (entries + 3) / 4 * 4;  // tuple -> P-rank
  uint16_t* own_rank = past_rank + even;                 // P-rank -> S-rank
  uint16_t* cells = own_rank + even;

  const int parts = kLanes / kColumnsPerBlock;
  const int task_index = blockIdx.x / parts;
  const Task task = w.tasks[task_index];
  const int64_t target_base = static_cast<int64_t>(a.first_target + task.target) * n;
  for (int m = threadIdx.x; m < n + 2; m += kThreads) psi[m] = w.psi[m];
  for (int m = threadIdx.x; m < n; m += kThreads) past_rank[m] = w.past_rank[target_base + m];
  for (int c = 0; c < kColumnsPerBlock; ++c) {
    const int lane_column = blockIdx.x % parts * kColumnsPerBlock + c;
    const int variable = task.variable >= 0 ? task.variable : task.block * kLanes + lane_column;
    if (task.variable >= 0 ? lane_column >= w.sources.lanes : variable >= a.variables) break;
    const uint32_t* inverse = w.sources.inverse ? w.sources.inverse + static_cast<int64_t>(lane_column) * n : nullptr;
    const uint32_t* source_order = a.source_order + static_cast<int64_t>(variable) * n;
    const CellScale<T> scale = w.source_scales[variable];
    __syncthreads();  // the column before was read
    for (int m = threadIdx.x; m < entries; m += kThreads) bits[m] = 0;
    // Two cells a word; there is an even number of them.
    const uint32_t* two_cells = reinterpret_cast<const uint32_t*>(w.source_cells + static_cast<int64_t>(variable) * (w.cells + 2));
    for (int m = threadIdx.x; m < w.cells / 2 + 1; m += kThreads) reinterpret_cast<uint32_t*>(cells)[m] = two_cells[m];
    __syncthreads();
    for (int r = threadIdx.x; r < n; r += kThreads) {
      sorted[r] = a.source_sorted[static_cast<int64_t>(variable) * n + r];
      const uint32_t row = source_order[r];
      const uint16_t p = past_rank[inverse ? inverse[row] : row];
      across[r] = p;
      own_rank[p] = static_cast<uint16_t>(r);
      atomicOr(&bits[((r >> table.shift) + 1) * table.pitch + p / 32], 1u << (p % 32));
    }
    __syncthreads();
    accumulate<kThreads>(bits, before, table);
    __syncthreads();

    const int64_t at = (static_cast<int64_t>(task_index) * kLanes + lane_column) * n;
    Fixed sum = 0;
    for (int r = threadIdx.x; r < n; r += kThreads) {
      const Radius<T> radius = w.radii[at + r];
      const T eps = absolute(radius.eps);
      if (!(eps > 0)) {
        if (!kDoubts<T>) sum -= psi[1];  // in fp32 it is in doubt
        continue;
      }
      const int low = radius.counts & 0xffff, high = radius.counts >> 16;
      const T s = sorted[own_rank[r]];
      int s_low, s_high;
      range_of(sorted, cells, scale, w.cells, s, eps, s_low, s_high);
      int near_both = in_rectangle(bits, before, table, across, n, s_low, s_high, low, high) - 1;  // without itself
      if (a.theiler > 0) near_both -= in_window(static_cast<int>(a.past_order[target_base + r]), a.theiler, n, past_rank, own_rank, sorted, low, high, s, eps);
      const T magnitude = greater(absolute(s), greater(absolute(a.past_ranked[target_base + r]), absolute(a.future_ranked[target_base + r])));
      if (certain(sorted, n, s, magnitude, eps, radius.eps < 0, s_low, s_high)) sum -= psi[near_both + 1];
      else w.doubts.add({task_index, r, static_cast<float>(eps), static_cast<uint16_t>(lane_column), 1});
    }
    add_block<kThreads>(sum, w.sums + static_cast<int64_t>(task_index) * kLanes + lane_column);
  }
}

}  // namespace xcore::te
