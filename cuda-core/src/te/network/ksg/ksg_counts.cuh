// n_SP for one column of P and one of S, and from all counts the transfer entropy.
//
// |P| < eps and |S| < eps are ranges of ranks, so n_SP is a count in a rectangle of a permutation, by corners: for each pair a
// table holds, for every `step`-th rank a of S, the set of tuples with S-rank < a as bits in the order of P, and before each
// word of it how many there are. So a corner is a count and the population of part of a word; at most step / 2 tuples at
// either edge are looked at singly.
#pragma once

#include "te/network/ksg/ksg_ranges.cuh"
#include "te/network/ksg/ksg_tile.cuh"

namespace xcore::te {

template <class T>
struct CountsArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  const Radius<T>* radii;
  const Fixed* sums;
  double* te;  // [task][32]
  RangeTable table;
  int cells;
  const uint16_t* source_cells;       // [variable][cells + 2]
  const CellScale<T>* source_scales;  // [variable]
  const uint16_t* past_rank;          // [variable][n]: tuple -> P-rank
  const Fixed* psi;
};

template <class T>
inline size_t counts_shared(int64_t n, int cells, const RangeTable& table) {
  const size_t entries = static_cast<size_t>(table.rows) * table.pitch, even = (n + 3) / 4 * 4;
  return (n + 2) * sizeof(Fixed) + even * sizeof(T) + entries * sizeof(uint32_t) + (3 * even + (entries + 3) / 4 * 4 + cells + 2) * sizeof(uint16_t);
}

template <class T, int kThreads, int kBlocks>
__global__ void __launch_bounds__(kThreads, kBlocks) counts_kernel(CountsArgs<T> w) {
  extern __shared__ double shared_doubles[];
  __shared__ Fixed totals[kThreads / 32];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n), even = (n + 3) / 4 * 4;
  const RangeTable table = w.table;
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
    __syncthreads();  // the column before was read
    for (int m = threadIdx.x; m < entries; m += kThreads) bits[m] = 0;
    for (int m = threadIdx.x; m < w.cells + 2; m += kThreads) cells[m] = w.source_cells[static_cast<int64_t>(variable) * (w.cells + 2) + m];
    const CellScale<T> scale = w.source_scales[variable];
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
    accumulate<kThreads, false>(bits, before, table);
    __syncthreads();

    const int64_t at = (static_cast<int64_t>(task_index) * kLanes + lane_column) * n;
    Fixed sum = 0;
    for (int r = threadIdx.x; r < n; r += kThreads) {
      const Radius<T> radius = w.radii[at + r];
      int near_both = 0;
      if (radius.eps > 0) {
        const int low = radius.past & 0xffff, high = radius.past >> 16;
        const T s = sorted[own_rank[r]];
        int s_low, s_high;
        range_of(sorted, cells, scale, w.cells, s, radius.eps, s_low, s_high);
        near_both = in_rectangle(bits, before, table, across, n, s_low, s_high, low, high);
        --near_both;  // itself
        if (a.theiler > 0) {
          const int tuple = a.past_order[target_base + r], to = min(n - 1, tuple + a.theiler);
          for (int other = max(0, tuple - a.theiler); other <= to; ++other) {
            const int p = past_rank[other];
            if (other == tuple || static_cast<unsigned>(p - low) >= static_cast<unsigned>(high - low)) continue;
            near_both -= absolute(sorted[own_rank[p]] - s) < radius.eps;
          }
        }
      }
      sum -= psi[near_both + 1];
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(kFull, sum, step);
    if (threadIdx.x % 32 == 0) totals[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      Fixed total = w.sums[static_cast<int64_t>(task_index) * kLanes + lane_column];
      for (int m = 0; m < kThreads / 32; ++m) total += totals[m];
      w.te[static_cast<int64_t>(task_index) * kLanes + lane_column] = a.psi[a.k] + static_cast<double>(total) / kFixedOne / static_cast<double>(n);
    }
  }
}

}  // namespace xcore::te
