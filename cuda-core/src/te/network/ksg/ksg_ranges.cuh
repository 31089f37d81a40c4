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

template <class T>
struct RangesArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  const T* eps;
  const int32_t* near;
  double* te;  // [task][32]
  int step, words, pitch, rows;
};

// Bytes of shared memory: P ascending, S ascending, tuple -> P-rank, S-rank -> P-rank, the table.
template <class T>
inline size_t ranges_shared(int64_t n, int rows, int pitch) {
  return 2 * n * sizeof(T) + 2 * ((n + 1) / 2 * 2) * sizeof(uint16_t) + static_cast<size_t>(rows) * pitch * sizeof(uint32_t);
}

template <class T, int kThreads>
__global__ void __launch_bounds__(kThreads) ranges_kernel(RangesArgs<T> w) {
  extern __shared__ double shared_doubles[];
  __shared__ double sums[kThreads / 32];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n), even = (n + 1) / 2 * 2;
  T* past = reinterpret_cast<T*>(shared_doubles);
  T* sorted = past + n;
  uint32_t* bits = reinterpret_cast<uint32_t*>(sorted + n);
  uint16_t* rank_of = reinterpret_cast<uint16_t*>(bits + static_cast<size_t>(w.rows) * w.pitch);
  uint16_t* across = rank_of + even;  // S-rank -> P-rank

  const int parts = kLanes / kColumnsPerBlock;
  const int task_index = blockIdx.x / parts;
  const Task task = w.tasks[task_index];
  const int target_variable = a.first_target + task.target;
  const uint32_t* order = a.past_order + static_cast<int64_t>(target_variable) * n;
  for (int r = threadIdx.x; r < n; r += kThreads) {
    past[r] = a.past_ranked[static_cast<int64_t>(target_variable) * n + r];
    rank_of[order[r]] = static_cast<uint16_t>(r);
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
    for (int m = threadIdx.x; m < w.rows * w.pitch; m += kThreads) bits[m] = 0;
    __syncthreads();
    for (int r = threadIdx.x; r < n; r += kThreads) {
      if (loaded != variable) sorted[r] = a.source_sorted[static_cast<int64_t>(variable) * n + r];
      const uint32_t tuple = source_order[r];
      const uint16_t p = rank_of[inverse ? inverse[tuple] : tuple];
      across[r] = p;
      atomicOr(&bits[(r / w.step + 1) * w.pitch + p / 32], 1u << (p % 32));
    }
    loaded = variable;
    __syncthreads();
    for (int word = threadIdx.x; word < w.words; word += kThreads) {
      uint32_t seen = 0;
#pragma unroll 8
      for (int row = 1; row < w.rows; ++row) {
        seen |= bits[row * w.pitch + word];
        bits[row * w.pitch + word] = seen;
      }
    }
    __syncthreads();

    const int64_t at = (static_cast<int64_t>(task_index) * kLanes + lane_column) * n;
    double sum = 0;
    for (int r = threadIdx.x; r < n; r += kThreads) {
      const T eps = w.eps[at + r];
      int near_past = 0, near_both = 0;
      if (eps > 0) {
        const uint32_t tuple = order[r];
        const T p = past[r];
        const T s = source[permutation ? permutation[tuple] : tuple];
        // The four ends side by side: their loads do not wait for each other.
        int p_low = 0, p_high = r, s_low = 0, s_high = 0;
        for (int step = 1 << (31 - __clz(n)); step > 0; step /= 2) {
          const int pl = p_low + step, ph = p_high + step, sl = s_low + step, sh = s_high + step;
          if (pl <= r && !(p - past[pl - 1] < eps)) p_low = pl;
          if (ph <= n && past[ph - 1] - p < eps) p_high = ph;
          if (sl <= n && !(s - sorted[sl - 1] < eps)) s_low = sl;
          if (sh <= n && sorted[sh - 1] - s < eps) s_high = sh;
        }
        near_past = p_high - p_low;
        const int low_row = (s_low + w.step / 2) / w.step, high_row = (s_high + w.step / 2) / w.step;
        const uint32_t* low = bits + low_row * w.pitch;
        const uint32_t* high = bits + high_row * w.pitch;
        const int first_word = p_low / 32, last_word = (p_high - 1) / 32;
        for (int word = first_word; word <= last_word; ++word) {
          uint32_t in = high[word] & ~low[word];
          if (word == first_word) in &= kFull << (p_low % 32);
          if (word == last_word) in &= kFull >> (31 - (p_high - 1) % 32);
          near_both += __popc(in);
        }
        const auto singly = [&](int from, int to) {
          int count = 0;
          for (int m = from; m < to; ++m) count += static_cast<unsigned>(across[m] - p_low) < static_cast<unsigned>(near_past);
          return count;
        };
        const int low_edge = min(low_row * w.step, n), high_edge = min(high_row * w.step, n);
        near_both += s_low < low_edge ? singly(s_low, low_edge) : -singly(low_edge, s_low);
        near_both += s_high > high_edge ? singly(high_edge, s_high) : -singly(s_high, high_edge);
        if (a.theiler == 0) {
          --near_past, --near_both;  // itself
        } else {
          const int from = max(0, static_cast<int>(tuple) - a.theiler), to = static_cast<int>(min(static_cast<int64_t>(n) - 1, static_cast<int64_t>(tuple) + a.theiler));
          for (int other = from; other <= to; ++other) {
            if (static_cast<unsigned>(rank_of[other] - p_low) >= static_cast<unsigned>(p_high - p_low)) continue;
            --near_past;
            near_both -= absolute(source[permutation ? permutation[other] : other] - s) < eps;
          }
        }
      }
      sum += a.psi[near_past + 1] - a.psi[near_both + 1] - a.psi[w.near[at + r] + 1];
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
