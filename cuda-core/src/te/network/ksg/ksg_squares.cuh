// n_SP as in ksg_corners, for series whose table of bits would not fit: a table of counts by rectangles of ranks, and single looks
// at the strips between a radius's rectangle and the nearest of the table's borders, eight ranks a load.
#pragma once

#include "te/network/ksg/ksg_corners.cuh"

namespace xcore::te {

struct SquareTable {
  int source_shift, past_shift;  // a square has 1 << shift ranks of S and of P
  int rows, columns, pitch;      // of counts: one row and column more than squares
  bool sorted_in_shared;         // S and its cells too, else they are read from global memory
};

template <class T>
inline size_t squares_shared(int64_t n, int cells, const SquareTable& table) {
  const size_t even = (n + 15) / 8 * 8;
  return 2 * even * sizeof(uint16_t) + (static_cast<size_t>(table.rows) * table.pitch + 7) / 8 * 8 * sizeof(uint16_t) +
         (table.sorted_in_shared ? even * sizeof(T) + (cells + 2) * sizeof(uint16_t) : 0);
}

// How many of values[end..border) lie in [low, low + wide), or minus how many of values[border..end). The border is a multiple of
// 8, low + wide below 2^16.
__device__ __forceinline__ int in_strip(const uint16_t* values, const uint4* masks, int end, int border, int low, int wide) {
  if (wide == 0) return 0;
  const Strip strip(low, wide);
  const bool ahead = end < border;
  const int length = ahead ? border - end : end - border;
  unsigned outside = 0;
  int read = 0;
  for (; read < length; read += 8) {
    const int part = min(length - read, 8);
    const uint4 eight = *reinterpret_cast<const uint4*>(values + (ahead ? border - 8 - read : border + read));
    const uint4 mask = masks[ahead ? 8 - part : 8 + part];
    outside += strip.outside(eight.x | mask.x) + strip.outside(eight.y | mask.y) + strip.outside(eight.z | mask.z) + strip.outside(eight.w | mask.w);
  }
  const int inside = read - static_cast<int>((outside & 0xffff) + (outside >> 16));
  return ahead ? inside : -inside;
}

template <class T, int kThreads>
__global__ void __launch_bounds__(kThreads, 1) squares_kernel(CountArgs<T> w, SquareTable table) {
  extern __shared__ uint4 shared_vectors[];
  const PairsData<T>& a = w.data;
  __shared__ uint4 masks[kEdgeMasks];
  const int n = static_cast<int>(a.n), eights = (n + 7) / 8 * 8, even = (n + 15) / 8 * 8, rows = table.rows;
  const int source_half = 1 << (table.source_shift - 1), past_half = 1 << (table.past_shift - 1);
  uint16_t* across = reinterpret_cast<uint16_t*>(shared_vectors);  // S-rank -> P-rank
  uint16_t* own_rank = across + even;                              // P-rank -> S-rank
  uint16_t* counts = own_rank + even;
  T* shared_sorted = reinterpret_cast<T*>(counts + (rows * table.pitch + 7) / 8 * 8);
  uint16_t* shared_cells = reinterpret_cast<uint16_t*>(shared_sorted + even);

  const int parts = kLanes / kColumnsPerBlock;
  const int task_index = blockIdx.x / parts;
  const Task task = w.tasks[task_index];
  const int64_t target_base = static_cast<int64_t>(a.first_target + task.target) * n;
  const uint16_t* past_rank = w.past_rank + target_base;
  make_edge_masks(masks);
  for (int m = n + threadIdx.x; m < even; m += kThreads) across[m] = own_rank[m] = 0xffff;
  for (int c = 0; c < kColumnsPerBlock; ++c) {
    const int lane_column = blockIdx.x % parts * kColumnsPerBlock + c;
    const int variable = task.variable >= 0 ? task.variable : task.block * kLanes + lane_column;
    if (task.variable >= 0 ? lane_column >= w.sources.lanes : variable >= a.variables) break;
    const uint32_t* inverse = w.sources.inverse ? w.sources.inverse + static_cast<int64_t>(lane_column) * n : nullptr;
    const uint32_t* source_order = a.source_order + static_cast<int64_t>(variable) * n;
    const T* sorted = a.source_sorted + static_cast<int64_t>(variable) * n;
    const uint16_t* cells = w.source_cells + static_cast<int64_t>(variable) * (w.cells + 2);
    const CellScale<T> scale = w.source_scales[variable];
    unsigned* words = reinterpret_cast<unsigned*>(counts);
    __syncthreads();  // the column before was read
    for (int m = threadIdx.x; m < rows * table.pitch / 2; m += kThreads) words[m] = 0;
    if (table.sorted_in_shared) {
      for (int m = threadIdx.x; m < n; m += kThreads) shared_sorted[m] = sorted[m];
      for (int m = threadIdx.x; m < w.cells + 2; m += kThreads) shared_cells[m] = cells[m];
      sorted = shared_sorted, cells = shared_cells;
    }
    __syncthreads();
    for (int r = threadIdx.x; r < n; r += kThreads) {
      const uint32_t row = source_order[r];
      const uint16_t p = past_rank[inverse ? inverse[row] : row];
      across[r] = p;
      own_rank[p] = static_cast<uint16_t>(r);
      const int at = ((r >> table.source_shift) + 1) * table.pitch + (p >> table.past_shift) + 1;
      atomicAdd(words + at / 2, 1u << (at % 2 * 16));
    }
    __syncthreads();
    for (int row = threadIdx.x; row < rows; row += kThreads) {
      int count = 0;
#pragma unroll 4
      for (int p = 0; p < table.columns; ++p) counts[row * table.pitch + p] = static_cast<uint16_t>(count += counts[row * table.pitch + p]);
    }
    __syncthreads();
    // Two columns a word; no count reaches 2^16.
    for (int word = threadIdx.x; word < table.pitch / 2; word += kThreads) {
      unsigned count = 0;
#pragma unroll 4
      for (int row = 0; row < rows; ++row) words[row * (table.pitch / 2) + word] = count += words[row * (table.pitch / 2) + word];
    }
    __syncthreads();

    const int64_t at = (static_cast<int64_t>(task_index) * kLanes + lane_column) * n;
    Fixed sum = 0;
    for (int m = threadIdx.x; m < n; m += kThreads) {
      const Radius<T> radius = w.radii[at + m];
      const int r = w.visit ? w.visit[target_base + m] : m;
      const T eps = absolute(radius.eps);
      if (!(eps > 0)) {
        if (!kDoubts<T>) sum -= w.psi[1];  // in fp32 it is in doubt
        continue;
      }
      const int low = radius.low(), high = radius.high();
      const T s = sorted[own_rank[r]];
      int s_low, s_high;
      range_of(sorted, n, cells, scale, w.cells, s, eps, s_low, s_high);
      const int l = (s_low + source_half) >> table.source_shift, h = (s_high + source_half) >> table.source_shift;
      const int pl = (low + past_half) >> table.past_shift, ph = (high + past_half) >> table.past_shift;
      int near_both = counts[h * table.pitch + ph] - counts[h * table.pitch + pl] - counts[l * table.pitch + ph] + counts[l * table.pitch + pl];
      const int p_low = min(pl << table.past_shift, n), p_high = min(ph << table.past_shift, n);
      // Strips of S-ranks against the squares' P-ranks, then of P-ranks against the exact S-ranks.
      near_both += in_strip(across, masks, s_low, min(l << table.source_shift, eights), p_low, p_high - p_low) -
                   in_strip(across, masks, s_high, min(h << table.source_shift, eights), p_low, p_high - p_low) +
                   in_strip(own_rank, masks, low, min(pl << table.past_shift, eights), s_low, s_high - s_low) -
                   in_strip(own_rank, masks, high, min(ph << table.past_shift, eights), s_low, s_high - s_low);
      --near_both;  // itself
      if (a.theiler > 0) near_both -= in_window(static_cast<int>(a.past_order[target_base + r]), a.theiler, n, past_rank, own_rank, sorted, low, high, s, eps);
      const T magnitude = greater(absolute(s), greater(absolute(a.past_ranked[target_base + r]), absolute(a.future_ranked[target_base + r])));
      sum -= w.psi[near_both + 1];
      if (in_doubt(radius, sorted, n, s, magnitude, s_low, s_high)) w.corrections.add(correction(task_index, m, lane_column, near_both, s_low, s_high));
    }
    add_block<kThreads>(sum, w.sums + static_cast<int64_t>(task_index) * kLanes + lane_column);
  }
}

}  // namespace xcore::te
