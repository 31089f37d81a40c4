// n_SP for one column of P and one of S.
//
// |P| < eps and |S| < eps are ranges of ranks, so n_SP is a count in a rectangle of a permutation, by corners: for each pair a
// table holds, for every `step`-th rank a of S, the set of tuples with S-rank < a as bits in the order of P, and before each
// word of it how many there are. So a corner is a count and the population of part of a word; at most step / 2 tuples at
// either edge are looked at singly.
#pragma once

#include "te/network/ksg/ksg_corrections.cuh"

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
  Corrections corrections;
};

constexpr int kTableStep = 16, kEdgeMasks = kTableStep + 1;

struct BitTable {
  int shift, pitch, rows;  // step 1 << shift; pitch: words of a row, one more than the tuples need and odd
};

// 2^16 - 1 stands behind the last S-rank.
__host__ __device__ inline int64_t padded_ranks(int64_t n) { return (n + 16) / 16 * 16; }

template <class T>
inline size_t corners_shared(int64_t n, int cells, const BitTable& table) {
  const size_t entries = static_cast<size_t>(table.rows) * table.pitch, even = padded_ranks(n);
  return kEdgeMasks * sizeof(uint4) + (n + 2) * sizeof(Fixed) + even * sizeof(T) + entries * sizeof(uint32_t) +
         (3 * even + (entries + 3) / 4 * 4 + cells + 2) * sizeof(uint16_t);
}

// Tuples with a rank below that of table row `row` and a P-rank below p.
__device__ __forceinline__ int in_corner(const uint32_t* bits, const uint16_t* before, int row_start, int p) {
  const int at = row_start + p / 32;
  return before[at] + __popc(bits[at] & ((1u << (p % 32)) - 1));
}

// 16-bit values in [low, low + wide), two at a time; wide > 0 and low + wide < 2^16.
struct Strip {
  unsigned minus_low, last, minus_last;

  __device__ __forceinline__ Strip(int low, int wide)
      : minus_low(((0x10000u - low) & 0xffffu) * 0x10001u), last((wide - 1u) * 0x10001u), minus_last(((0x10001u - wide) & 0xffffu) * 0x10001u) {}
  // 1 for each of two outside: value - low, as unsigned, is at least `wide` for those; what is left of it above wide - 1, but at
  // most 1.
  __device__ __forceinline__ unsigned outside(unsigned two) const {
    return __viaddmin_u16x2(__viaddmax_u16x2(two, minus_low, last), minus_last, 0x10001u);
  }
};

// masks[m + 8]: 1 bits for what of eight ranks does not lie between a border and the rank m behind it. By a block of threads.
__device__ __forceinline__ void make_edge_masks(uint4* masks) {
  for (int word = threadIdx.x; word < kEdgeMasks * 4; word += blockDim.x) {
    const int to = word / 4 - kTableStep / 2;
    const auto excluded = [&](int at) { return to < 0 ? at < 8 + to : at >= to; };
    const int at = word % 4 * 2;
    reinterpret_cast<unsigned*>(masks)[word] = (excluded(at) ? 0xffffu : 0u) | (excluded(at + 1) ? 0xffff0000u : 0u);
  }
}

// How many tuples between the S-rank `end` and the table's border next to it lie in the strip; negative behind it.
__device__ __forceinline__ int at_edge(const uint16_t* across, const uint4* masks, int end, int border, const Strip& strip) {
  const uint4 eight = *reinterpret_cast<const uint4*>(across + (end < border ? border - 8 : border)), mask = masks[end - border + 8];
  const unsigned outside = strip.outside(eight.x | mask.x) + strip.outside(eight.y | mask.y) + strip.outside(eight.z | mask.z) + strip.outside(eight.w | mask.w);
  const int inside = 8 - static_cast<int>((outside & 0xffff) + (outside >> 16));
  return end < border ? inside : -inside;
}

// How many tuples have a rank of [low, high) on the table's axis and a P-rank of [p_low, p_high).
__device__ __forceinline__ int in_rectangle(const uint32_t* bits, const uint16_t* before, const BitTable& table, const uint16_t* across,
                                            const uint4* masks, int low, int high, int p_low, int p_high) {
  const int low_row = (low + kTableStep / 2) >> table.shift, high_row = (high + kTableStep / 2) >> table.shift;
  const int l = low_row * table.pitch, h = high_row * table.pitch;
  const Strip strip(p_low, p_high - p_low);
  return in_corner(bits, before, h, p_high) - in_corner(bits, before, h, p_low) - in_corner(bits, before, l, p_high) + in_corner(bits, before, l, p_low) +
         at_edge(across, masks, low, low_row << table.shift, strip) - at_edge(across, masks, high, high_row << table.shift, strip);
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

// Whether the walk left a doubt, or the count of S within eps is one, given what the walk noted.
template <class T>
__device__ __forceinline__ bool in_doubt(const Radius<T>& radius, const T* sorted, int n, T s, T magnitude, int low, int high) {
  if (!kDoubts<T>) return false;
  const T eps = absolute(radius.eps);
  return radius.doubt() || close_to(sorted, n, s, eps, margin_of(magnitude, eps), low, high) != static_cast<int>(radius.eps < 0);
}

__device__ __forceinline__ Correction correction(int task, int place, int lane, int both, int source_low, int source_high) {
  return {task, static_cast<uint16_t>(place), static_cast<uint16_t>(lane), static_cast<uint16_t>(both), static_cast<uint16_t>(source_low),
          static_cast<uint16_t>(source_high)};
}

template <class T, int kThreads, int kBlocks>
__global__ void __launch_bounds__(kThreads, kBlocks) corners_kernel(CountArgs<T> w, BitTable table) {
  extern __shared__ uint4 shared_vectors[];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n), even = static_cast<int>(padded_ranks(n));
  const int entries = table.rows * table.pitch;
  uint4* masks = reinterpret_cast<uint4*>(shared_vectors);
  uint16_t* across = reinterpret_cast<uint16_t*>(masks + kEdgeMasks);  // S-rank -> P-rank
  Fixed* psi = reinterpret_cast<Fixed*>(across + even);
  T* sorted = reinterpret_cast<T*>(psi + n + 2);
  uint32_t* bits = reinterpret_cast<uint32_t*>(sorted + even);
  uint16_t* before = reinterpret_cast<uint16_t*>(bits + entries);
  uint16_t* past_rank = before + (entries + 3) / 4 * 4;  // tuple -> P-rank
  uint16_t* own_rank = past_rank + even;                 // P-rank -> S-rank
  uint16_t* cells = own_rank + even;

  const int parts = kLanes / kColumnsPerBlock;
  const int task_index = blockIdx.x / parts;
  const Task task = w.tasks[task_index];
  const int64_t target_base = static_cast<int64_t>(a.first_target + task.target) * n;
  for (int m = threadIdx.x; m < n + 2; m += kThreads) psi[m] = w.psi[m];
  for (int m = threadIdx.x; m < n; m += kThreads) past_rank[m] = w.past_rank[target_base + m];
  for (int m = n + threadIdx.x; m < even; m += kThreads) across[m] = 0xffff;
  make_edge_masks(masks);
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
      const int low = radius.low(), high = radius.high();
      const T s = sorted[own_rank[r]];
      int s_low, s_high;
      range_of(sorted, n, cells, scale, w.cells, s, eps, s_low, s_high);
      int near_both = in_rectangle(bits, before, table, across, masks, s_low, s_high, low, high) - 1;  // without itself
      if (a.theiler > 0) near_both -= in_window(static_cast<int>(a.past_order[target_base + r]), a.theiler, n, past_rank, own_rank, sorted, low, high, s, eps);
      const T magnitude = greater(absolute(s), greater(absolute(a.past_ranked[target_base + r]), absolute(a.future_ranked[target_base + r])));
      sum -= psi[near_both + 1];
      if (in_doubt(radius, sorted, n, s, magnitude, s_low, s_high)) w.corrections.add(correction(task_index, r, lane_column, near_both, s_low, s_high));
    }
    add_block<kThreads>(sum, w.sums + static_cast<int64_t>(task_index) * kLanes + lane_column);
  }
}

}  // namespace xcore::te
