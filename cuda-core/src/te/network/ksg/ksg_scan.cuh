// n_P and n_SP for any number of columns: the warp goes through the window around a tuple in the order of P's first column,
// 32 sources at a time. Serves several columns, and series too long for the tables of ksg_squares.
#pragma once

#include "te/network/ksg/ksg_walk.cuh"

namespace xcore::te {

constexpr int kScanWarps = 8;
constexpr int kScanRows = 32;

template <class T>
struct ScanArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  int chunks;  // of kScanRows ranks, a task
  const Radius<T>* radii;
  const Fixed* psi;
  Fixed* sums;  // [task][32]
  Doubts doubts;
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
  const int64_t variable = a.first_target + task.target;
  const uint32_t* order = a.past_order + variable * a.n;
  const T* past = a.past_ranked + variable * a.past_dims * a.n;
  const T* future = a.future_ranked + variable * a.n;
  const int64_t plane = a.n * kLanes;
  const T* block = w.sources.blocks + static_cast<int64_t>(task.block) * a.source_dims * plane + lane;
  const bool valid = task.variable >= 0 ? lane < w.sources.lanes : task.block * kLanes + lane < a.variables;
  const int64_t begin = static_cast<int64_t>(chunk) * kScanRows;
  const int64_t end = begin + kScanRows < a.n ? begin + kScanRows : a.n;
  const int64_t at = (task_index * kLanes + lane) * a.n;

  Fixed sum = 0;
  for (int64_t rank = begin; rank < end; ++rank) {
    const Radius<T> radius = w.radii[at + rank];
    const T eps = radius.eps;
    const uint32_t tuple = order[rank], which = radius.counts >> 30;
    T margin = 0;
    if (kDoubts<T>) {
      T magnitude = absolute(future[rank]);
      for (int h = 0; h < a.past_dims; ++h) magnitude = greater(magnitude, absolute(past[h * a.n + rank]));
      for (int h = 0; h < a.source_dims; ++h) magnitude = greater(magnitude, absolute(block[h * plane + static_cast<int64_t>(tuple) * kLanes]));
      margin = margin_of(magnitude, eps);
    }
    T widest = valid ? eps + 2 * margin : 0;
#pragma unroll
    for (int step = 16; step > 0; step /= 2) widest = greater(widest, __shfl_xor_sync(kFull, widest, step));
    int near_past = 0, near_both = 0, close_past = 0, close_source = 0;
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
          const int64_t other = __shfl_sync(kFull, mine, from);
          T ds = 0;
          for (int h = 0; h < a.source_dims; ++h)
            ds = greater(ds, absolute(block[h * plane + other * kLanes] - block[h * plane + static_cast<int64_t>(tuple) * kLanes]));
          near_past += dp < eps;
          near_both += greater(dp, ds) < eps;
          if (kDoubts<T>) close_past += absolute(dp - eps) <= margin, close_source += absolute(ds - eps) <= margin && dp - eps <= margin;
        }
        if (__ballot_sync(kFull, near) != kFull) break;
      }
    }
    bool certain = true;
    if (kDoubts<T>) {
      if (!(eps > 0)) continue;  // in doubt already
      // Each coordinate by itself: P and S may be near eps at two tuples, of which eps is but one.
      certain = close_past == static_cast<int>(which == kNearPast) && close_source == static_cast<int>(which == kNearSource);
    }
    const int near_future = static_cast<int>(radius.counts & 0x3fffffff);
    if (certain) sum += w.psi[near_past + 1] - w.psi[near_both + 1] - w.psi[near_future + 1];
    else if (valid) w.doubts.add({static_cast<int>(task_index), static_cast<int>(rank), static_cast<float>(eps), static_cast<uint16_t>(lane), 0, 0});
  }
  add_to(w.sums + task_index * kLanes + lane, sum);
}

}  // namespace xcore::te
