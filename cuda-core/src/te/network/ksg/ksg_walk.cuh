// The walk: 32 sources, one a lane, go down the list of one tuple together, so that the list is read once for all and each
// step reads one line of the sources' block. Gives eps (the k-th distance) and n_FP.
//
// A warp goes as far as its slowest lane, and some sources have a long way: those whose own value is an outlier. When only
// few lanes are left they are served one by one from the other side, in the order of S, where an outlier's way is short.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

constexpr int kWalkWarps = 8;
constexpr int kWalkRows = 32;  // consecutive ranks of one warp
constexpr int kStage = 8;      // of them leave together, so that whole sectors are written

template <class T>
struct WalkArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  int chunks;     // blocks of threads a task
  T* eps;           // [task][32][n], by rank
  int32_t* near;    // n_FP, likewise; -1: not known
  int stragglers;   // a walk ends when no more lanes than these are unfinished
  bool count_near;  // leave no n_FP unknown
};

constexpr int kChunk = 8;

// kChunk entries of a list; every lane reads the same addresses.
__device__ __forceinline__ void load_chunk(const Near<float>* list, float (&d)[kChunk], uint32_t (&t)[kChunk]) {
#pragma unroll
  for (int m = 0; m < kChunk; m += 2) {
    const int4 two = __ldg(reinterpret_cast<const int4*>(list + m));
    d[m] = __int_as_float(two.x), t[m] = two.y, d[m + 1] = __int_as_float(two.z), t[m + 1] = two.w;
  }
}
__device__ __forceinline__ void load_chunk(const Near<double>* list, double (&d)[kChunk], uint32_t (&t)[kChunk]) {
#pragma unroll
  for (int m = 0; m < kChunk; ++m) {
    const int4 one = __ldg(reinterpret_cast<const int4*>(list + m));
    d[m] = __hiloint2double(one.y, one.x), t[m] = one.z;
  }
}

// eps of one source from its own side: the warp goes outwards in the order of S, 32 tuples a step and side, until S alone is
// too far. Short where the walk is long: few tuples are near in S then.
template <class T>
struct SourceSide {
  const T* sorted;             // the source's S, ascending
  const uint32_t* order;       // rank -> tuple of the source
  const uint32_t* inverse;     // tuple of the source -> tuple of the target, or NULL: the same
  const T* source;             // columns by tuple
  const FuturePast<T>* pairs;  // of the target
  const T* past;               // of the target, columns by tuple
  int n, past_dims, source_dims, theiler, k;

  // `rank` and `row` of the source at the target's `tuple`.
  __device__ __forceinline__ T eps(int rank, int row, int tuple, int lane) const {
    const T own = sorted[rank];
    const FuturePast<T> mine = pairs[tuple];
    T carried = infinity<T>(), kth = infinity<T>();  // lane m keeps the m-th least so far
    for (int step = 1; ; step += 32) {
      T found[2];
#pragma unroll
      for (int side = 0; side < 2; ++side) {
        const int at = side ? rank - step - lane : rank + step + lane;
        found[side] = infinity<T>();
        if (at < 0 || at >= n) continue;
        T d = absolute(sorted[at] - own);
        if (!(d < kth)) continue;
        const int other_row = order[at], other = inverse ? inverse[other_row] : other_row;
        if (abs(other - tuple) <= theiler) continue;
        const FuturePast<T> there = pairs[other];
        d = greater(d, greater(absolute(there.future - mine.future), absolute(there.past - mine.past)));
        for (int h = 1; h < source_dims; ++h) d = greater(d, absolute(source[static_cast<int64_t>(h) * n + other_row] - source[static_cast<int64_t>(h) * n + row]));
        for (int h = 1; h < past_dims; ++h) d = greater(d, absolute(past[static_cast<int64_t>(h) * n + other] - past[static_cast<int64_t>(h) * n + tuple]));
        found[side] = d;
      }
      // The k least of three a lane: k times the least of the heads leaves.
      T v0 = carried, v1 = found[0], v2 = found[1];
      Least<T, 1>::exchange(v0, v1), Least<T, 1>::exchange(v1, v2), Least<T, 1>::exchange(v0, v1);
      for (int taken = 0; taken < k; ++taken) {
        kth = warp_least(v0);
        const unsigned owners = __ballot_sync(kFull, v0 == kth);
        if (lane == __ffs(owners) - 1) v0 = v1, v1 = v2, v2 = infinity<T>();
        if (lane == taken) carried = kth;
      }
      const int right = rank + step + 32, left = rank - step - 32;
      if (!(right < n && sorted[right] - own < kth) && !(left >= 0 && own - sorted[left] < kth)) return kth;
    }
  }
};

// n_FP, by the whole warp in the window of P's first column.
template <class T>
__device__ __forceinline__ int future_near(const PairsData<T>& a, int variable, int64_t rank, uint32_t tuple, T eps, int lane) {
  const T* past = a.past_ranked + static_cast<int64_t>(variable) * a.past_dims * a.n;
  const T* future = a.future_ranked + variable * a.n;
  const uint32_t* order = a.past_order + variable * a.n;
  int count = 0;
  for (int side = 0; side < 2; ++side) {
    for (int64_t step = 1; ; step += 32) {
      const int64_t j = side ? rank - step - lane : rank + step + lane;
      bool near = false, take = false;
      if (j >= 0 && j < a.n) {
        T d = absolute(past[j] - past[rank]);
        near = d < eps;
        d = greater(d, absolute(future[j] - future[rank]));
        for (int h = 1; h < a.past_dims; ++h) d = greater(d, absolute(past[h * a.n + j] - past[h * a.n + rank]));
        take = d < eps && outside_window(tuple, order[j], a.theiler);
      }
      count += __popc(__ballot_sync(kFull, take));
      if (__ballot_sync(kFull, near) != kFull) break;
    }
  }
  return count;
}

template <class T, int kMaxK, bool kOneDim>
__global__ void __launch_bounds__(kWalkWarps * 32, kMaxK <= 4 && sizeof(T) == 4 ? 4 : 1) walk_kernel(WalkArgs<T> w) {
  __shared__ T stage_eps[kWalkWarps][kStage][33];
  __shared__ int32_t stage_near[kWalkWarps][kStage][33];
  const PairsData<T>& a = w.data;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int task_index = blockIdx.x / w.chunks;
  const Task task = w.tasks[task_index];
  const int64_t begin = (static_cast<int64_t>(blockIdx.x % w.chunks) * kWalkWarps + warp) * kWalkRows;
  const int64_t end = begin + kWalkRows < a.n ? begin + kWalkRows : a.n;
  const int target_variable = a.first_target + task.target;
  const uint32_t* order = a.past_order + target_variable * a.n;
  const int64_t plane = a.n * kLanes;
  const T* block = w.sources.blocks + static_cast<int64_t>(task.block) * a.source_dims * plane + lane;
  const bool valid = task.variable >= 0 ? lane < w.sources.lanes : task.block * kLanes + lane < a.variables;
  const unsigned lanes = __ballot_sync(kFull, valid);

  for (int64_t base = begin; base < end; base += kStage) {
    const int rows = static_cast<int>(end - base < kStage ? end - base : kStage);
    for (int row = 0; row < rows; ++row) {
      const int64_t rank = base + row;
      const uint32_t tuple = order[rank];
      const Near<T>* list = a.lists + (task.target * a.n + rank) * a.cap;
      const T limit = a.limits[task.target * a.n + rank];
      const T own = block[tuple * kLanes];
      const auto source_distance = [&](uint32_t other) {
        if (kOneDim) return absolute(block[other * kLanes] - own);
        T d = absolute(block[other * kLanes] - own);
        for (int h = 1; h < a.source_dims; ++h)
          d = greater(d, absolute(block[h * plane + other * kLanes] - block[h * plane + tuple * kLanes]));
        return d;
      };
      Least<T, kMaxK> least(a.k);
      T d[kChunk];
      uint32_t t[kChunk];
      load_chunk(list, d, t);
      T reached;
      for (int m = kChunk; ; m += kChunk) {
        T s[kChunk];
#pragma unroll
        for (int u = 0; u < kChunk; ++u) s[u] = source_distance(t[u]);
        T next_d[kChunk];
        uint32_t next_t[kChunk];
        if (m < a.cap) load_chunk(list + m, next_d, next_t);
#pragma unroll
        for (int u = 0; u < kChunk; ++u) s[u] = greater(d[u], s[u]);
#pragma unroll
        for (int u = 0; u < kChunk; u += 4) least.insert_four(s[u], s[u + 1], s[u + 2], s[u + 3]);
        // What lies behind is at least as far as the last entry seen. A few stragglers are served from their own side.
        reached = d[kChunk - 1];
        if (m >= a.cap || __popc(__ballot_sync(kFull, least.kth() > reached) & lanes) <= w.stragglers) break;
#pragma unroll
        for (int u = 0; u < kChunk; ++u) d[u] = next_d[u], t[u] = next_t[u];
      }
      T eps = least.kth();
      for (unsigned beyond = __ballot_sync(kFull, eps > lesser(reached, limit)) & lanes; beyond; beyond &= beyond - 1) {
        const int whose = __ffs(beyond) - 1;
        const int variable = task.variable >= 0 ? task.variable : task.block * kLanes + whose;
        const int64_t row_base = static_cast<int64_t>(variable) * a.n, lane_base = static_cast<int64_t>(whose) * a.n;
        const int own_row = w.sources.permutations ? w.sources.permutations[lane_base + tuple] : tuple;
        const SourceSide<T> side{a.source_sorted + row_base, a.source_order + row_base, w.sources.inverse ? w.sources.inverse + lane_base : nullptr,
                                 a.source + row_base * a.source_dims, a.target_pairs + static_cast<int64_t>(target_variable) * a.n,
                                 a.past + static_cast<int64_t>(target_variable) * a.past_dims * a.n, static_cast<int>(a.n), a.past_dims,
                                 a.source_dims, a.theiler, a.k};
        const T kth = side.eps(a.source_rank[row_base + own_row], own_row, tuple, lane);
        if (lane == whose) eps = kth;
      }
      int near = 0;
      for (int step = a.cap / 2; step > 0; step /= 2)
        if (list[near + step - 1].distance < eps) near += step;
      near += list[near].distance < eps;
      // Behind the list's limit n_FP is not known. With one column of P the ranges count it.
      if (eps > limit) near = -1;
      if (w.count_near) {
        for (unsigned unknown = __ballot_sync(kFull, eps > limit) & lanes; unknown; unknown &= unknown - 1) {
          const int whose = __ffs(unknown) - 1;
          const int count = future_near(a, target_variable, rank, tuple, __shfl_sync(kFull, eps, whose), lane);
          if (lane == whose) near = count;
        }
      }
      stage_eps[warp][row][lane] = eps;
      stage_near[warp][row][lane] = near;
    }
    __syncwarp();
    const int row = lane % kStage;
    if (row < rows) {
      for (int column = lane / kStage; column < kLanes; column += 32 / kStage) {
        const int64_t at = (static_cast<int64_t>(task_index) * kLanes + column) * a.n + base + row;
        w.eps[at] = stage_eps[warp][row][column];
        w.near[at] = stage_near[warp][row][column];
      }
    }
    __syncwarp();
  }
}

}  // namespace xcore::te
