// n_P and n_SP for any number of columns: the warp goes through the window around a tuple in the order of P's first column,
// 32 sources at a time. Serves several columns, and series too long for the tables of ksg_ranges.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

constexpr int kScanWarps = 8;
constexpr int kScanRows = 32;

template <class T>
struct ScanArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  int chunks;  // of kScanRows ranks, a task
  const T* eps;
  const int32_t* near;
  double* partial;  // [task][chunk][32]
};

template <class T>
__global__ void __launch_bounds__(kScanWarps * 32) scan_kernel(ScanArgs<T> w, int64_t warps) {
  const PairsData<T>& a = w.data;
  const int lane = threadIdx.x % 32;
  const int64_t id = static_cast<int64_t>(blockIdx.x) * kScanWarps + threadIdx.x / 32;
  if (id >= warps) return;
  const int64_t task_index = id / w.chunks;
  const int chunk = static_cast<int>(id % w.chunks);
  const Task task = w.tasks[task_index];
  const int target_variable = a.first_target + task.target;
  const uint32_t* order = a.past_order + target_variable * a.n;
  const T* past = a.past_ranked + static_cast<int64_t>(target_variable) * a.past_dims * a.n;
  const int64_t plane = a.n * kLanes;
  const T* block = w.sources.blocks + static_cast<int64_t>(task.block) * a.source_dims * plane + lane;
  const int64_t begin = static_cast<int64_t>(chunk) * kScanRows;
  const int64_t end = begin + kScanRows < a.n ? begin + kScanRows : a.n;
  const int64_t at = (task_index * kLanes + lane) * a.n;

  double sum = 0;
  for (int64_t rank = begin; rank < end; ++rank) {
    const T eps = w.eps[at + rank];
    const uint32_t tuple = order[rank];
    T widest = eps;
#pragma unroll
    for (int step = 16; step > 0; step /= 2) widest = greater(widest, __shfl_xor_sync(kFull, widest, step));
    int near_past = 0, near_both = 0;
    for (int side = 0; side < 2; ++side) {
      for (int64_t step = 1; ; step += 32) {
        const int64_t j = side ? rank - step - lane : rank + step + lane;
        T d = infinity<T>();
        uint32_t mine = tuple;
        bool near = false;
        if (j >= 0 && j < a.n) {
          d = absolute(past[j] - past[rank]);
          near = d < widest;
          for (int h = 1; h < a.past_dims; ++h) d = greater(d, absolute(past[h * a.n + j] - past[h * a.n + rank]));
          mine = order[j];
          if (!outside_window(tuple, mine, a.theiler)) d = infinity<T>();
        }
        for (unsigned close = __ballot_sync(kFull, d < widest); close; close &= close - 1) {
          const int from = __ffs(close) - 1;
          const T dp = __shfl_sync(kFull, d, from);
          const uint32_t other = __shfl_sync(kFull, mine, from);
          T ds = 0;
          for (int h = 0; h < a.source_dims; ++h)
            ds = greater(ds, absolute(block[h * plane + other * kLanes] - block[h * plane + tuple * kLanes]));
          near_past += dp < eps;
          near_both += greater(dp, ds) < eps;
        }
        if (__ballot_sync(kFull, near) != kFull) break;
      }
    }
    sum += a.psi[near_past + 1] - a.psi[near_both + 1] - a.psi[w.near[at + rank] + 1];
  }
  w.partial[(task_index * w.chunks + chunk) * kLanes + lane] = sum;
}

template <class T>
__global__ void scan_reduce_kernel(ScanArgs<T> w, double* te) {
  double total = 0;
  for (int chunk = 0; chunk < w.chunks; ++chunk)
    total += w.partial[(static_cast<int64_t>(blockIdx.x) * w.chunks + chunk) * kLanes + threadIdx.x];
  te[static_cast<int64_t>(blockIdx.x) * kLanes + threadIdx.x] = w.data.psi[w.data.k] + total / static_cast<double>(w.data.n);
}

}  // namespace xcore::te
