// The walk: 32 sources, one a lane, go down the list of one tuple together, so that the list is read once for all and each
// step reads one line of the sources' block. Gives eps (the k-th distance) and n_FP.
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
  T* eps;         // [task][32][n], by rank
  int32_t* near;  // n_FP, likewise
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
      for (int m = kChunk; ; m += kChunk) {
        T s[kChunk];
#pragma unroll
        for (int u = 0; u < kChunk; ++u) s[u] = source_distance(t[u]);
        T next_d[kChunk];
        uint32_t next_t[kChunk];
        if (m < a.cap) load_chunk(list + m, next_d, next_t);
#pragma unroll
        for (int u = 0; u < kChunk; ++u) least.insert(greater(d[u], s[u]));
        if (m >= a.cap || __all_sync(kFull, least.kth() <= d[kChunk - 1])) break;
#pragma unroll
        for (int u = 0; u < kChunk; ++u) d[u] = next_d[u], t[u] = next_t[u];
      }
      T eps = least.kth();
      int near = 0;
      for (int step = a.cap / 2; step > 0; step /= 2)
        if (list[near + step - 1].distance < eps) near += step;
      near += list[near].distance < eps;

      // Lanes whose k-th lies beyond the list: the warp looks at all tuples, for one lane after the other.
      for (unsigned beyond = __ballot_sync(kFull, valid && !(eps <= limit)); beyond; beyond &= beyond - 1) {
        const int whose = __ffs(beyond) - 1;
        const int variable = task.variable >= 0 ? task.variable : task.block * kLanes + whose;
        const uint32_t* permutation = w.sources.permutations ? w.sources.permutations + whose * a.n : nullptr;
        const T* source = a.source + static_cast<int64_t>(variable) * a.source_dims * a.n;
        const int64_t own_row = permutation ? permutation[tuple] : tuple;
        Least<T, kMaxK> mine(kMaxK);
        for (int64_t j = lane; j < a.n; j += 32) {
          if (!outside_window(tuple, j, a.theiler)) continue;
          const int64_t other_row = permutation ? permutation[j] : j;
          T x = target_distance(a, target_variable, tuple, j);
          for (int h = 0; h < a.source_dims; ++h)
            x = greater(x, absolute(source[h * a.n + other_row] - source[h * a.n + own_row]));
          mine.insert(x);
        }
        T kth = 0;
        for (int taken = 0; taken < a.k; ++taken) {
          T head = mine.head();
#pragma unroll
          for (int step = 16; step > 0; step /= 2) head = lesser(head, __shfl_xor_sync(kFull, head, step));
          kth = head;
          const unsigned owners = __ballot_sync(kFull, mine.head() == head);
          if (lane == __ffs(owners) - 1) mine.pop();
        }
        int count = 0;
        for (int64_t j = lane; j < a.n; j += 32)
          count += outside_window(tuple, j, a.theiler) && target_distance(a, target_variable, tuple, j) < kth;
#pragma unroll
        for (int step = 16; step > 0; step /= 2) count += __shfl_xor_sync(kFull, count, step);
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
