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
  int32_t* near;    // n_FP, likewise; -1: not counted
  int stragglers;   // a walk ends when no more lanes than these are unfinished
  bool count_near;  // count n_FP also for stragglers
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

// eps of one lane's source from the source's side: the warp goes outwards in the order of S, 32 tuples a step and side, until
// S alone is too far. Short where the walk is long: few tuples are near in S then.
template <class T, int kMaxK>
__device__ __noinline__ T source_side(const PairsData<T>& a, const SourceBlocks<T>& sources, Task task, int whose, int target_variable,
                                      uint32_t tuple, int lane) {
  const int variable = task.variable >= 0 ? task.variable : task.block * kLanes + whose;
  const uint32_t* permutation = sources.permutations ? sources.permutations + whose * a.n : nullptr;
  const uint32_t* inverse = sources.inverse ? sources.inverse + whose * a.n : nullptr;
  const T* source = a.source + static_cast<int64_t>(variable) * a.source_dims * a.n;
  const T* sorted = a.source_sorted + variable * a.n;
  const uint32_t* order = a.source_order + variable * a.n;
  const int64_t own_row = permutation ? permutation[tuple] : tuple;
  const int64_t rank = a.source_rank[variable * a.n + own_row];
  const T own = sorted[rank];
  Least<T, kMaxK> mine(kMaxK);
  T kth = infinity<T>();
  for (int64_t step = 1; ; step += 32) {
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      const int64_t at = side ? rank - step - lane : rank + step + lane;
      if (at < 0 || at >= a.n) continue;
      T d = absolute(sorted[at] - own);
      if (!(d < kth)) continue;
      const int64_t other_row = order[at], other = inverse ? inverse[other_row] : other_row;
      if (!outside_window(tuple, other, a.theiler)) continue;
      for (int h = 1; h < a.source_dims; ++h) d = greater(d, absolute(source[h * a.n + other_row] - source[h * a.n + own_row]));
      mine.insert(greater(d, target_distance(a, target_variable, tuple, other)));
    }
    Least<T, kMaxK> merged(kMaxK);
    for (int taken = 0; taken < a.k; ++taken) {
      T head = mine.head();
#pragma unroll
      for (int shift = 16; shift > 0; shift /= 2) head = lesser(head, __shfl_xor_sync(kFull, head, shift));
      const unsigned owners = __ballot_sync(kFull, mine.head() == head);
      if (lane == __ffs(owners) - 1) mine.pop();
      if (lane == 0) merged.insert(head);
      kth = head;
    }
    mine = merged;
    const int64_t right = rank + step + 32, left = rank - step - 32;
    const bool more_right = right < a.n && sorted[right] - own < kth, more_left = left >= 0 && own - sorted[left] < kth;
    if (!more_right && !more_left) return kth;
  }
}

// n_FP, by the whole warp in the window of P's first column.
template <class T>
__device__ __noinline__ int future_near(const PairsData<T>& a, int variable, int64_t rank, uint32_t tuple, T eps, int lane) {
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
      reached = lesser(reached, limit);
      int near = 0;
      for (int step = a.cap / 2; step > 0; step /= 2)
        if (list[near + step - 1].distance < eps) near += step;
      near += list[near].distance < eps;
      for (unsigned beyond = __ballot_sync(kFull, eps > reached) & lanes; beyond; beyond &= beyond - 1) {
        const int whose = __ffs(beyond) - 1;
        const T kth = source_side<T, kMaxK>(a, w.sources, task, whose, target_variable, tuple, lane);
        // With one column of P the ranges count n_FP for these.
        const int count = w.count_near ? future_near(a, target_variable, rank, tuple, kth, lane) : -1;
        if (lane == whose) eps = kth, near = count;
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
