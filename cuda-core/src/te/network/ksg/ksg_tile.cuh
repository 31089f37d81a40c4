// The walk with the sources' values in shared memory.
#pragma once

#include "te/network/ksg/ksg_grid.cuh"
#include "te/network/ksg/ksg_walk.cuh"

namespace xcore::te {

constexpr int kTilePitch = 33;  // a tuple's 32 values lie one after another, and a column's in all banks
constexpr int kTileStage = 4;   // ranks that leave together

// Digamma in fixed point, so that sums do not depend on their order.
using Fixed = long long;
constexpr double kFixedOne = 1099511627776.0;  // 2^40

template <class T>
struct alignas(2 * sizeof(T)) Radius {
  T eps;
  uint32_t past;  // P-ranks within eps: first, and first behind << 16
};

template <class T>
struct TileArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  int task_count;
  int stragglers;
  int cells;
  const uint16_t* past_cells;       // [variable][cells + 2]
  const CellScale<T>* past_scales;  // [variable]
  const Fixed* psi;                 // of 0..n + 1
  const uint32_t* visit;            // [target][n]: the order in which P-ranks are gone through, or NULL: ascending
  Radius<T>* radii;                 // [task][32][n], in that order
  Fixed* sums;                      // [task][32]: takes the sum of psi(n_P + 1) - psi(n_FP + 1)
  int rows, chunks, abreast;        // a block of threads does `rows` ranks; blocks go through `abreast` tasks together
};

template <class T>
inline size_t tile_shared(int64_t n, int cells, int threads, bool tile) {
  const size_t stages = static_cast<size_t>(threads / 32) * kTileStage * 33 * sizeof(Radius<T>);
  if (!tile) return stages;
  return stages + (n + 2) * sizeof(Fixed) + ((n * kTilePitch + 3) / 4 * 4 + (n + 3) / 4 * 4) * sizeof(T) + (cells + 2) * sizeof(uint16_t);
}

template <class T, int kMaxK, int kThreads, int kBlocks, bool kTile>
__global__ void __launch_bounds__(kThreads, kBlocks) tile_kernel(TileArgs<T> w) {
  extern __shared__ double shared_doubles[];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n);
  Radius<T>* stages = reinterpret_cast<Radius<T>*>(shared_doubles);
  Fixed* shared_psi = reinterpret_cast<Fixed*>(stages + kThreads / 32 * kTileStage * 33);
  T* tile = reinterpret_cast<T*>(shared_psi + n + 2);
  T* shared_past = tile + (n * kTilePitch + 3) / 4 * 4;
  uint16_t* shared_cells = reinterpret_cast<uint16_t*>(shared_past + (n + 3) / 4 * 4);
  __shared__ int next_rows;
  __shared__ Fixed sums[kLanes];

  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int together = w.abreast * w.chunks, within = blockIdx.x % together;
  const int task_index = blockIdx.x / together * w.abreast + within % w.abreast, begin = within / w.abreast * w.rows, end = min(n, begin + w.rows);
  if (task_index >= w.task_count) return;
  const Task task = w.tasks[task_index];
  const int variable = a.first_target + task.target;
  const uint32_t* order = a.past_order + static_cast<int64_t>(variable) * n;
  const T* block = w.sources.blocks + static_cast<int64_t>(task.block) * n * kLanes + lane;
  const bool valid = task.variable >= 0 ? lane < w.sources.lanes : task.block * kLanes + lane < a.variables;
  const unsigned lanes = __ballot_sync(kFull, valid);

  const T* past = a.past_ranked + static_cast<int64_t>(variable) * n;
  const uint16_t* cells = w.past_cells + static_cast<int64_t>(variable) * (w.cells + 2);
  const Fixed* psi = w.psi;
  if (kTile) {
    for (int t = warp; t < n; t += kThreads / 32) tile[t * kTilePitch + lane] = block[t * kLanes];
    for (int m = threadIdx.x; m < n; m += kThreads) shared_past[m] = past[m];
    for (int m = threadIdx.x; m < n + 2; m += kThreads) shared_psi[m] = psi[m];
    for (int m = threadIdx.x; m < w.cells + 2; m += kThreads) shared_cells[m] = cells[m];
    past = shared_past, cells = shared_cells, psi = shared_psi;
  }
  // The source of lane `whose`.
  const auto value = [&](uint32_t t) { return kTile ? tile[t * kTilePitch + lane] : block[t * kLanes]; };
  const auto value_of = [&](uint32_t t, int whose) { return kTile ? tile[t * kTilePitch + whose] : block[static_cast<int>(t * kLanes) + whose - lane]; };
  if (threadIdx.x < kLanes) sums[threadIdx.x] = 0;
  if (threadIdx.x == 0) next_rows = begin;
  const CellScale<T> scale = w.past_scales[variable];
  __syncthreads();

  Radius<T>* stage = stages + warp * kTileStage * 33;
  Fixed sum = 0;
  for (;;) {
    int base = 0;
    if (lane == 0) base = atomicAdd(&next_rows, kTileStage);
    base = __shfl_sync(kFull, base, 0);
    if (base >= end) break;
    const int rows = min(end - base, kTileStage);
    for (int row = 0; row < rows; ++row) {
      const int rank = w.visit ? w.visit[static_cast<int64_t>(task.target) * n + base + row] : base + row;
      const uint32_t tuple = order[rank];
      const Near<T>* list = a.lists + (static_cast<int64_t>(task.target) * n + rank) * a.cap;
      const T limit = a.limits[static_cast<int64_t>(task.target) * n + rank];
      const T own = value(tuple);
      Least<T, kMaxK> least(a.k);
      T reached;
      const auto take = [&](const T (&d)[kChunk], const uint32_t (&t)[kChunk]) {
        T s[kChunk];
#pragma unroll
        for (int u = 0; u < kChunk; ++u) s[u] = greater(d[u], absolute(value(t[u]) - own));
#pragma unroll
        for (int u = 0; u < kChunk; u += 4) least.insert_four(s[u], s[u + 1], s[u + 2], s[u + 3]);
        reached = d[kChunk - 1];
      };
      const auto few = [&] { return __popc(__ballot_sync(kFull, least.kth() > reached) & lanes) <= w.stragglers; };
      T d0[kChunk], d1[kChunk];
      uint32_t t0[kChunk], t1[kChunk];
      load_chunk(list, d0, t0);
      int walked = 0;
      for (;;) {
        load_chunk(list + walked + kChunk, d1, t1);
        take(d0, t0);
        walked += kChunk;
        if (few()) break;
        load_chunk(list + walked + kChunk, d0, t0);  // behind the last list there is room
        take(d1, t1);
        walked += kChunk;
        if (walked >= a.cap || few()) break;
      }
      // The stragglers go on one by one, 32 entries at a time.
      const T walk_end = reached;
      for (unsigned left = walked < a.cap ? __ballot_sync(kFull, least.kth() > reached) & lanes : 0; left; left &= left - 1) {
        const int whose = __ffs(left) - 1;
        Least<T, kMaxK> theirs(a.k);
#pragma unroll
        for (int m = 0; m < kMaxK; ++m) theirs.b[m] = __shfl_sync(kFull, least.b[m], whose);
        const T from = __shfl_sync(kFull, own, whose);
        T behind = walk_end;
        for (int m = walked; m < a.cap && theirs.kth() > behind; m += 32) {
          const int e = min(m + lane, a.cap - 1);
          const Near<T> entry = list[e];
          T d = greater(entry.distance, absolute(value_of(entry.tuple, whose) - from));
          if (m + lane >= a.cap) d = infinity<T>();
          for (unsigned near = __ballot_sync(kFull, d < theirs.kth()); near; near &= near - 1)
            theirs.insert(__shfl_sync(kFull, d, __ffs(near) - 1));
          behind = __shfl_sync(kFull, entry.distance, 31);
        }
        if (lane == whose) {
          least.b[kMaxK - 1] = theirs.kth();
          reached = behind;
        }
      }
      T eps = least.kth();
      for (unsigned beyond = __ballot_sync(kFull, eps > lesser(reached, limit)) & lanes; beyond; beyond &= beyond - 1) {
        const int whose = __ffs(beyond) - 1;
        const int column = task.variable >= 0 ? task.variable : task.block * kLanes + whose;
        const int64_t row_base = static_cast<int64_t>(column) * n, lane_base = static_cast<int64_t>(whose) * n;
        const int own_row = w.sources.permutations ? w.sources.permutations[lane_base + tuple] : tuple;
        const SourceSide<T> side{a.source_sorted + row_base, a.source_order + row_base, w.sources.inverse ? w.sources.inverse + lane_base : nullptr,
                                 a.source + row_base, a.target_pairs + static_cast<int64_t>(variable) * n, nullptr, n, 1, 1, a.theiler, a.k};
        const T kth = side.eps(a.source_rank[row_base + own_row], own_row, tuple, lane);
        if (lane == whose) eps = kth;
      }
      int near = 0;
      for (int step = a.cap / 2; step > 0; step /= 2)
        if (list[near + step - 1].distance < eps) near += step;
      near += list[near].distance < eps;
      for (unsigned unknown = __ballot_sync(kFull, eps > limit) & lanes; unknown; unknown &= unknown - 1) {
        const int whose = __ffs(unknown) - 1;
        const int count = future_near(a, variable, rank, tuple, __shfl_sync(kFull, eps, whose), lane);
        if (lane == whose) near = count;
      }
      int low = 0, high = 0, near_past = 0;
      if (eps > 0 && valid) {
        range_of(past, cells, scale, w.cells, past[rank], eps, low, high);
        near_past = high - low - 1;
        if (a.theiler > 0) {
          const T* by_tuple = a.past + static_cast<int64_t>(variable) * n;
          const int to = min(n - 1, static_cast<int>(tuple) + a.theiler);
          for (int other = max(0, static_cast<int>(tuple) - a.theiler); other <= to; ++other)
            near_past -= other != static_cast<int>(tuple) && absolute(by_tuple[other] - past[rank]) < eps;
        }
      }
      sum += psi[near_past + 1] - psi[near + 1];
      stage[row * 33 + lane] = {eps, static_cast<uint32_t>(low) | static_cast<uint32_t>(high) << 16};
    }
    __syncwarp();
    const int row = lane % kTileStage;
    if (row < rows) {
      for (int column = lane / kTileStage; column < kLanes; column += 32 / kTileStage)
        w.radii[(static_cast<int64_t>(task_index) * kLanes + column) * n + base + row] = stage[row * 33 + column];
    }
    __syncwarp();
  }
  atomicAdd(reinterpret_cast<unsigned long long*>(&sums[lane]), static_cast<unsigned long long>(sum));
  __syncthreads();
  if (threadIdx.x < kLanes)
    atomicAdd(reinterpret_cast<unsigned long long*>(w.sums + static_cast<int64_t>(task_index) * kLanes + threadIdx.x), static_cast<unsigned long long>(sums[threadIdx.x]));
}

}  // namespace xcore::te
