// n_P and n_SP for one column of P and one of S, and from them the transfer entropy.
//
// Both conditions are ranges of ranks: |P| < eps is a range in the order of P, |S| < eps one in the order of S, each found
// by bisection. n_SP is how many tuples lie in both, a count in a rectangle of a permutation. For each pair a table holds,
// for every `step`-th rank a of S, the set of tuples with S-rank < a as bits in the order of P: the difference of two rows
// under the mask of the P-range, and its population count, is n_SP up to fewer than `step` tuples that are looked at singly.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

constexpr int kColumnsPerBlock = 8;  // source columns that one block of threads serves, one after the other

struct RangeTable {
  int step, words, pitch, rows;
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
  int padded;  // the power of two at or above n
  const T* future_sorted;           // [variable][n]
  const uint16_t* future_across;    // [target][n]: F-rank -> P-rank
  const uint32_t* future_bits;      // [target][rows][pitch]
};

// Bytes of shared memory: P ascending, S ascending, tuple -> P-rank, S-rank -> P-rank, the table.
template <class T>
inline size_t ranges_shared(int64_t n, int64_t padded, int rows, int pitch) {
  return 2 * padded * sizeof(T) + 2 * ((n + 1) / 2 * 2) * sizeof(uint16_t) + static_cast<size_t>(rows) * pitch * sizeof(uint32_t);
}

// How many tuples have a rank of [low, high) on the table's axis and a P-rank of [p_low, p_high), p_low < p_high.
__device__ __forceinline__ int in_rectangle(const uint32_t* bits, const RangeTable& table, const uint16_t* across, int n, int low, int high,
                                            int p_low, int p_high) {
  const int low_row = (low + table.step / 2) / table.step, high_row = (high + table.step / 2) / table.step;
  const uint32_t* l = bits + low_row * table.pitch;
  const uint32_t* h = bits + high_row * table.pitch;
  const int first = p_low / 32, last = (p_high - 1) / 32;
  uint32_t in = h[first] & ~l[first] & (kFull << (p_low % 32));
  int count = 0;
  for (int word = first; word < last;) {
    count += __popc(in);
    ++word;
    in = h[word] & ~l[word];
  }
  count += __popc(in & (kFull >> (31 - (p_high - 1) % 32)));
  const unsigned wide = p_high - p_low;
  const int low_edge = min(low_row * table.step, n), high_edge = min(high_row * table.step, n);
  const int low_sign = low < low_edge ? 1 : -1, high_sign = high > high_edge ? 1 : -1;
  for (int m = min(low, low_edge), to = max(low, low_edge); m < to; ++m) count += static_cast<unsigned>(across[m] - p_low) < wide ? low_sign : 0;
  for (int m = min(high, high_edge), to = max(high, high_edge); m < to; ++m) count += static_cast<unsigned>(across[m] - p_low) < wide ? high_sign : 0;
  return count;
}

// The tables of F, which are the targets' alone. One block of threads a target; shared: tuple -> P-rank.
template <class T>
__global__ void __launch_bounds__(256) future_table_kernel(PairsData<T> a, const uint32_t* future_order, RangeTable table, uint16_t* across,
                                                           uint32_t* bits) {
  extern __shared__ uint16_t rank_of[];
  const int n = static_cast<int>(a.n), variable = a.first_target + blockIdx.x;
  uint32_t* mine = bits + static_cast<int64_t>(blockIdx.x) * table.rows * table.pitch;
  for (int r = threadIdx.x; r < n; r += 256) rank_of[a.past_order[static_cast<int64_t>(variable) * n + r]] = static_cast<uint16_t>(r);
  for (int m = threadIdx.x; m < table.rows * table.pitch; m += 256) mine[m] = 0;
  __syncthreads();
  for (int r = threadIdx.x; r < n; r += 256) {
    const uint16_t p = rank_of[future_order[static_cast<int64_t>(variable) * n + r]];
    across[static_cast<int64_t>(blockIdx.x) * n + r] = p;
    atomicOr(mine + (r / table.step + 1) * table.pitch + p / 32, 1u << (p % 32));
  }
  __threadfence();
  __syncthreads();
  for (int word = threadIdx.x; word < table.words; word += 256) {
    uint32_t seen = 0;
#pragma unroll 8
    for (int row = 1; row < table.rows; ++row) {
      seen |= __ldcg(mine + row * table.pitch + word);  // the atomics went past the first cache
      mine[row * table.pitch + word] = seen;
    }
  }
}

template <class T, int kThreads>
__global__ void __launch_bounds__(kThreads) ranges_kernel(RangesArgs<T> w) {
  extern __shared__ double shared_doubles[];
  __shared__ double sums[kThreads / 32];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n), even = (n + 1) / 2 * 2, padded = w.padded;
  T* past = reinterpret_cast<T*>(shared_doubles);
  T* sorted = past + padded;
  uint32_t* bits = reinterpret_cast<uint32_t*>(sorted + padded);
  uint16_t* rank_of = reinterpret_cast<uint16_t*>(bits + static_cast<size_t>(w.table.rows) * w.table.pitch);
  uint16_t* across = rank_of + even;  // S-rank -> P-rank

  const int parts = kLanes / kColumnsPerBlock;
  const int task_index = blockIdx.x / parts;
  const Task task = w.tasks[task_index];
  const int target_variable = a.first_target + task.target;
  const uint32_t* order = a.past_order + static_cast<int64_t>(target_variable) * n;
  const T* future = a.future_ranked + static_cast<int64_t>(target_variable) * n;
  const T* future_sorted = w.future_sorted + static_cast<int64_t>(target_variable) * n;
  for (int r = threadIdx.x; r < padded; r += kThreads) {
    past[r] = r < n ? a.past_ranked[static_cast<int64_t>(target_variable) * n + r] : infinity<T>();
    if (r < n) rank_of[order[r]] = static_cast<uint16_t>(r);
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
    for (int m = threadIdx.x; m < w.table.rows * w.table.pitch; m += kThreads) bits[m] = 0;
    __syncthreads();
    for (int r = threadIdx.x; r < padded; r += kThreads) {
      if (loaded != variable) sorted[r] = r < n ? a.source_sorted[static_cast<int64_t>(variable) * n + r] : infinity<T>();
      if (r >= n) continue;
      const uint32_t tuple = source_order[r];
      const uint16_t p = rank_of[inverse ? inverse[tuple] : tuple];
      across[r] = p;
      atomicOr(&bits[(r / w.table.step + 1) * w.table.pitch + p / 32], 1u << (p % 32));
    }
    loaded = variable;
    __syncthreads();
    for (int word = threadIdx.x; word < w.table.words; word += kThreads) {
      uint32_t seen = 0;
#pragma unroll 8
      for (int row = 1; row < w.table.rows; ++row) {
        seen |= bits[row * w.table.pitch + word];
        bits[row * w.table.pitch + word] = seen;
      }
    }
    __syncthreads();

    const int64_t at = (static_cast<int64_t>(task_index) * kLanes + lane_column) * n;
    double sum = 0;
    for (int r = threadIdx.x; r < n; r += kThreads) {
      const T eps = w.eps[at + r];
      int near_past = 0, near_both = 0, near_future = w.near[at + r];
      if (eps > 0) {
        const uint32_t tuple = order[r];
        const T p = past[r];
        const T s = source[permutation ? permutation[tuple] : tuple];
        // The four ends side by side: their loads do not wait for each other.
        const T *p_low = past, *p_high = past, *s_low = sorted, *s_high = sorted;
        for (int step = padded / 2; step > 0; step /= 2) {
          if (p - p_low[step - 1] >= eps) p_low += step;
          if (p_high[step - 1] - p < eps) p_high += step;
          if (s - s_low[step - 1] >= eps) s_low += step;
          if (s_high[step - 1] - s < eps) s_high += step;
        }
        int low = static_cast<int>(p_low - past), high = static_cast<int>(p_high - past);
        high += high < n && past[high] - p < eps;  // when n is the power of two itself
        int s_to = static_cast<int>(s_high - sorted);
        s_to += s_to < n && sorted[s_to] - s < eps;
        near_past = high - low;
        near_both = in_rectangle(bits, w.table, across, n, static_cast<int>(s_low - sorted), s_to, low, high);
        const bool count_future = near_future < 0;
        if (count_future) {
          const T f = future[r];
          const T *f_low = future_sorted, *f_high = future_sorted;
          for (int step = padded / 2; step > 0; step /= 2) {
            if (f_low - future_sorted + step <= n && f - f_low[step - 1] >= eps) f_low += step;
            if (f_high - future_sorted + step <= n && f_high[step - 1] - f < eps) f_high += step;
          }
          int f_to = static_cast<int>(f_high - future_sorted);
          f_to += f_to < n && future_sorted[f_to] - f < eps;
          near_future = in_rectangle(w.future_bits + static_cast<int64_t>(task.target) * w.future_table.rows * w.future_table.pitch, w.future_table,
                                     w.future_across + static_cast<int64_t>(task.target) * n, n, static_cast<int>(f_low - future_sorted), f_to, low, high);
        }
        if (a.theiler == 0) {
          --near_past, --near_both, near_future -= count_future;  // itself
        } else {
          const int from = max(0, static_cast<int>(tuple) - a.theiler), to = static_cast<int>(min(static_cast<int64_t>(n) - 1, static_cast<int64_t>(tuple) + a.theiler));
          const T f = future[r];
          for (int other = from; other <= to; ++other) {
            const int other_rank = rank_of[other];
            if (static_cast<unsigned>(other_rank - low) >= static_cast<unsigned>(high - low)) continue;
            --near_past;
            near_both -= absolute(source[permutation ? permutation[other] : other] - s) < eps;
            near_future -= count_future && absolute(future[other_rank] - f) < eps;
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
