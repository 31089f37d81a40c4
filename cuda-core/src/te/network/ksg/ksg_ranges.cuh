// n_P and n_SP for one column of P and one of S, and from them the transfer entropy.
//
// Both conditions are ranges of ranks: |P| < eps is a range in the order of P, |S| < eps one in the order of S, each found
// by bisection. n_SP is how many tuples lie in both, a count in a rectangle of a permutation, by corners: for each pair a table
// holds, for every `step`-th rank a of S, the set of tuples with S-rank < a as bits in the order of P, and before each word of
// it how many there are. So a corner is a count and the population of part of a word; fewer than `step` tuples at the edges
// between table rows are looked at singly.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

constexpr int kColumnsPerBlock = 8;  // source columns that one block of threads serves, one after the other

struct RangeTable {
  int step, shift, pitch, rows;  // pitch: words of a row, one more than the tuples need and odd
};

template <class T>
struct RangesArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  const T* eps;
  const int32_t* near;
  double* te;  // [task][32]
  RangeTable table, future_table;
  int padded;            // the power of two at or above n
  bool past_in_shared;   // else P is read from global memory
  const uint16_t* past_rank;        // [variable][n]: tuple -> P-rank
  const T* future_sorted;           // [variable][n]
  const uint16_t* future_across;    // [target][n]: F-rank -> P-rank
  const uint32_t* future_bits;      // [target][rows][pitch]
  const uint16_t* future_before;
};

// Bytes of shared memory: P and S ascending (unless long), S-rank -> P-rank, the table's words and counts.
template <class T>
inline size_t ranges_shared(int64_t n, bool past_in_shared, const RangeTable& table) {
  const size_t entries = static_cast<size_t>(table.rows) * table.pitch;
  return (past_in_shared ? 2 : 1) * n * sizeof(T) + entries * sizeof(uint32_t) + ((n + 1) / 2 * 2 + entries) * sizeof(uint16_t);
}

// Tuples with a rank below that of table row `row` and a P-rank below p.
__device__ __forceinline__ int in_corner(const uint32_t* bits, const uint16_t* before, int row_start, int p) {
  const int at = row_start + p / 32;
  return before[at] + __popc(bits[at] & ((1u << (p % 32)) - 1));
}

// How many tuples have a rank of [low, high) on the table's axis and a P-rank of [p_low, p_high).
__device__ __forceinline__ int in_rectangle(const uint32_t* bits, const uint16_t* before, const RangeTable& table, const uint16_t* across,
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

// How many of values[0..n), ascending, lie at or before `x - eps`, and how many before `x + eps`; as differences are rounded.
template <class T>
__device__ __forceinline__ void bisect(const T* values, int n, int padded, T x, T eps, int& low, int& high) {
  int l = 0, h = 0;
  for (int step = padded / 2; step > 0; step /= 2) {
    if (l + step <= n && x - values[l + step - 1] >= eps) l += step;
    if (h + step <= n && values[h + step - 1] - x < eps) h += step;
  }
  low = l;
  high = h + (h < n && values[h] - x < eps);  // when n is the power of two itself
}

// From bits at (row + 1, P-rank) to a table: rows gather what is above them, counts what is before them. By a block of threads.
template <int kThreads, bool kGlobal>
__device__ __forceinline__ void accumulate(uint32_t* bits, uint16_t* before, const RangeTable& table) {
  for (int word = threadIdx.x; word < table.pitch; word += kThreads) {
    uint32_t seen = 0;
#pragma unroll 8
    for (int row = 1; row < table.rows; ++row) {
      // In global memory the atomics went past the first cache.
      seen |= kGlobal ? __ldcg(bits + row * table.pitch + word) : bits[row * table.pitch + word];
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

// The tables of F, which are the targets' alone. One block of threads a target.
template <class T>
__global__ void __launch_bounds__(256) future_table_kernel(PairsData<T> a, const uint32_t* future_order, const uint16_t* past_rank, RangeTable table,
                                                           uint16_t* across, uint32_t* bits, uint16_t* before) {
  const int n = static_cast<int>(a.n), variable = a.first_target + blockIdx.x;
  const int64_t start = static_cast<int64_t>(blockIdx.x) * table.rows * table.pitch;
  for (int m = threadIdx.x; m < table.rows * table.pitch; m += 256) bits[start + m] = 0;
  __syncthreads();
  for (int r = threadIdx.x; r < n; r += 256) {
    const uint16_t p = past_rank[static_cast<int64_t>(variable) * n + future_order[static_cast<int64_t>(variable) * n + r]];
    across[static_cast<int64_t>(blockIdx.x) * n + r] = p;
    atomicOr(bits + start + ((r >> table.shift) + 1) * table.pitch + p / 32, 1u << (p % 32));
  }
  __threadfence();
  __syncthreads();
  accumulate<256, true>(bits + start, before + start, table);
}

template <class T, int kThreads>
__global__ void __launch_bounds__(kThreads, kThreads == 256 ? 5 : 1) ranges_kernel(RangesArgs<T> w) {
  extern __shared__ double shared_doubles[];
  __shared__ double sums[kThreads / 32];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n), even = (n + 1) / 2 * 2, padded = w.padded;
  const RangeTable table = w.table;
  const int entries = table.rows * table.pitch;
  T* sorted = reinterpret_cast<T*>(shared_doubles);
  uint32_t* bits = reinterpret_cast<uint32_t*>(sorted + (w.past_in_shared ? 2 : 1) * n);
  uint16_t* across = reinterpret_cast<uint16_t*>(bits + entries);  // S-rank -> P-rank
  uint16_t* before = across + even;

  const int parts = kLanes / kColumnsPerBlock;
  const int task_index = blockIdx.x / parts;
  const Task task = w.tasks[task_index];
  const int64_t target_base = static_cast<int64_t>(a.first_target + task.target) * n;
  const uint32_t* order = a.past_order + target_base;
  const uint16_t* past_rank = w.past_rank + target_base;
  const T* future = a.future_ranked + target_base;
  const T* past = a.past_ranked + target_base;
  if (w.past_in_shared) {
    for (int r = threadIdx.x; r < n; r += kThreads) sorted[n + r] = past[r];
    past = sorted + n;
  }
  int loaded = -1;
  for (int c = 0; c < kColumnsPerBlock; ++c) {
    const int lane_column = blockIdx.x % parts * kColumnsPerBlock + c;
    const int variable = task.variable >= 0 ? task.variable : task.block * kLanes + lane_column;
    if (task.variable >= 0 ? lane_column >= w.sources.lanes : variable >= a.variables) break;
    const uint32_t* permutation = w.sources.permutations ? w.sources.permutations + static_cast<int64_t>(lane_column) * n : nullptr;
    const uint32_t* inverse = w.sources.inverse ? w.sources.inverse + static_cast<int64_t>(lane_column) * n : nullptr;
    const T* source = a.source + static_cast<int64_t>(variable) * n;
    const uint32_t* source_order = a.source_order + static_cast<int64_t>(variable) * n;
    __syncthreads();  // the column before was read
    for (int m = threadIdx.x; m < entries; m += kThreads) bits[m] = 0;
    __syncthreads();
    for (int r = threadIdx.x; r < n; r += kThreads) {
      if (loaded != variable) sorted[r] = a.source_sorted[static_cast<int64_t>(variable) * n + r];
      const uint32_t tuple = source_order[r];
      const uint16_t p = past_rank[inverse ? inverse[tuple] : tuple];
      across[r] = p;
      atomicOr(&bits[((r >> table.shift) + 1) * table.pitch + p / 32], 1u << (p % 32));
    }
    loaded = variable;
    __syncthreads();
    accumulate<kThreads, false>(bits, before, table);
    __syncthreads();

    const int64_t at = (static_cast<int64_t>(task_index) * kLanes + lane_column) * n;
    double sum = 0;
    for (int r = threadIdx.x; r < n; r += kThreads) {
      const T eps = w.eps[at + r];
      int near_past = 0, near_both = 0, near_future = w.near[at + r];
      const bool count_future = near_future < 0;
      if (count_future) near_future = 0;
      if (eps > 0) {
        const int tuple = order[r];
        const T s = source[permutation ? permutation[tuple] : tuple];
        int low, high, s_low, s_high;
        bisect(past, n, padded, past[r], eps, low, high);
        bisect(sorted, n, padded, s, eps, s_low, s_high);
        near_past = high - low;
        near_both = in_rectangle(bits, before, table, across, n, s_low, s_high, low, high);
        if (count_future) {
          const int64_t start = static_cast<int64_t>(task.target) * w.future_table.rows * w.future_table.pitch;
          int f_low, f_high;
          bisect(w.future_sorted + target_base, n, padded, future[r], eps, f_low, f_high);
          near_future = in_rectangle(w.future_bits + start, w.future_before + start, w.future_table,
                                     w.future_across + static_cast<int64_t>(task.target) * n, n, f_low, f_high, low, high);
        }
        if (a.theiler == 0) {
          --near_past, --near_both, near_future -= count_future;  // itself
        } else {
          const int from = max(0, tuple - a.theiler), to = static_cast<int>(min(static_cast<int64_t>(n) - 1, static_cast<int64_t>(tuple) + a.theiler));
          for (int other = from; other <= to; ++other) {
            const int other_rank = past_rank[other];
            if (static_cast<unsigned>(other_rank - low) >= static_cast<unsigned>(high - low)) continue;
            --near_past;
            near_both -= absolute(source[permutation ? permutation[other] : other] - s) < eps;
            near_future -= count_future && absolute(future[other_rank] - future[r]) < eps;
          }
        }
      }
      sum += a.psi[near_past + 1] - a.psi[near_both + 1] - a.psi[near_future + 1];
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(kFull, sum, step);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      double total = 0;
      for (int m = 0; m < kThreads / 32; ++m) total += sums[m];
      w.te[static_cast<int64_t>(task_index) * kLanes + lane_column] = a.psi[a.k] + total / static_cast<double>(n);
    }
  }
}

}  // namespace xcore::te
