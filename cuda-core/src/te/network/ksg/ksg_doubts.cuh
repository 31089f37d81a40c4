// Counts of fp64 at the speed of fp32.
//
// Rounding to fp32 moves a distance by less than a margin known beforehand. If only one coordinate's distance lies within the
// margin of eps, it is the one that eps is, and every comparison comes out as in fp64. Otherwise the unit (a source, a target and
// a tuple) is in doubt. With one column of P and of S the few tuples within the margin are compared again in fp64 (see
// ksg_corrections.cuh); a unit with more of them than a thread can hold, or of several columns, is counted again as a whole, by
// a warp. On continuous data one unit in a few hundred is in doubt.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

// Digamma in fixed point, so that sums do not depend on their order.
using Fixed = long long;
constexpr double kFixedOne = 1099511627776.0;  // 2^40

__device__ __forceinline__ void add_to(Fixed* sum, Fixed value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(value));
}

// What kernels hand to a later one. More than `capacity` are counted, not kept.
template <class Item>
struct Queue {
  Item* items;
  int* count;
  int capacity;

  __device__ __forceinline__ void add(const Item& item) const {
    const int at = atomicAdd(count, 1);
    if (at < capacity) items[at] = item;
  }
};

// A unit to count again as a whole.
struct Doubt {
  int task, rank;
  float eps;
  uint16_t lane;
  uint16_t counted;  // the counts of fp32 are in the sum already
  int both;          // n_SP of fp32 then
};
using Doubts = Queue<Doubt>;

// fp64 has no doubts.
template <class T>
constexpr bool kDoubts = false;
template <>
constexpr bool kDoubts<float> = true;

// By how much at most rounding moves two distances from one tuple against each other. Coordinates are rounded by u = 2^-24 of
// their magnitude, and so are differences: each distance d moves by at most 2 u (own + d), two of about eps by 4 u (own + eps);
// a quarter more for the second order, and what the smallest numbers lose. `own`: the largest magnitude of the tuple's
// coordinates.
__device__ __forceinline__ float margin_of(float own, float eps) { return (own + eps) * 0x1.4p-22f + 1e-37f; }
__device__ __forceinline__ double margin_of(double, double) { return 0; }

// fp64 columns, laid out as those of PairsData.
struct ExactColumns {
  const double* future;
  const double* past;
  const double* source;
};

template <class T>
struct DoubtArgs {
  PairsData<T> data;
  ExactColumns exact;
  const Task* tasks;
  const uint32_t* permutations;  // [32][n] or NULL
  Doubts doubts;
  const Fixed* psi;
  Fixed* sums;  // [task][32]
};

constexpr int kDoubtWarps = 8;

// One doubt a warp. Its neighbours are looked for in the window of P's first column.
template <class T>
__global__ void __launch_bounds__(kDoubtWarps * 32) doubt_kernel(DoubtArgs<T> w) {
  const PairsData<T>& a = w.data;
  // Kinds of distances: P, P and F, P and S, all.
  constexpr int kKinds = 4, kJoint = 3;
  __shared__ double shared_values[kDoubtWarps][kKinds][32];
  __shared__ int shared_counts[kDoubtWarps][kKinds];
  const int lane = threadIdx.x % 32;
  auto& values = shared_values[threadIdx.x / 32];
  auto& counts = shared_counts[threadIdx.x / 32];
  const double infinite = __builtin_huge_val();
  const int64_t n = a.n;
  const int count = min(*w.doubts.count, w.doubts.capacity);
  for (int id = blockIdx.x * kDoubtWarps + threadIdx.x / 32; id < count; id += gridDim.x * kDoubtWarps) {
    const Doubt doubt = w.doubts.items[id];
    const Task task = w.tasks[doubt.task];
    const int64_t target = a.first_target + task.target, source = task.variable >= 0 ? task.variable : task.block * kLanes + doubt.lane;
    const uint32_t* permutation = w.permutations ? w.permutations + doubt.lane * n : nullptr;
    const uint32_t* order = a.past_order + target * n;
    const T* past32 = a.past_ranked + target * a.past_dims * n;
    const T* future32 = a.future_ranked + target * n;
    const double* past = w.exact.past + target * a.past_dims * n;
    const double* future = w.exact.future + target * n;
    const double* columns = w.exact.source + source * a.source_dims * n;
    const uint32_t tuple = order[doubt.rank], own = permutation ? permutation[tuple] : tuple;
    double magnitude = fabs(future[tuple]);
    for (int h = 0; h < a.past_dims; ++h) magnitude = fmax(magnitude, fabs(past[h * n + tuple]));
    for (int h = 0; h < a.source_dims; ++h) magnitude = fmax(magnitude, fabs(columns[h * n + own]));
    const T eps32 = static_cast<T>(doubt.eps), margin = margin_of(static_cast<T>(magnitude), eps32), widest = eps32 + 4 * margin;

    // f(|P|, max(|P|, |F|), max(|P|, |S|), all, whether fp32 counts it in P, in FP) of every allowed tuple in the window
    const auto sweep = [&](auto&& f) {
      for (int side = 0; side < 2; ++side) {
        for (int64_t step = 1; ; step += 32) {
          const int64_t j = side ? doubt.rank - step - lane : doubt.rank + step + lane;
          bool inside = false;
          if (j >= 0 && j < n) {
            const T p = absolute(past32[j] - past32[doubt.rank]);
            inside = p <= widest;
            const uint32_t other = order[j];
            if (inside && outside_window(tuple, other, a.theiler)) {
              const uint32_t row = permutation ? permutation[other] : other;
              double dp = 0, ds = 0;
              for (int h = 0; h < a.past_dims; ++h) dp = fmax(dp, fabs(past[h * n + other] - past[h * n + tuple]));
              for (int h = 0; h < a.source_dims; ++h) ds = fmax(ds, fabs(columns[h * n + row] - columns[h * n + own]));
              const double fp = fmax(dp, fabs(future[other] - future[tuple])), sp = fmax(dp, ds);
              f(dp, fp, sp, fmax(fp, sp), p < eps32, greater(p, absolute(future32[j] - future32[doubt.rank])) < eps32);
            }
          }
          if (__ballot_sync(kFull, inside) != kFull) break;
        }
      }
    };
    // One pass: how many distances lie before the margin around eps, and which lie in it.
    const double from = static_cast<double>(eps32) - 4 * static_cast<double>(margin), to = static_cast<double>(eps32) + 4 * static_cast<double>(margin);
    if (lane < kKinds) counts[lane] = 0;
    __syncwarp();
    int before[kKinds] = {}, past_before = 0, future_before = 0;
    sweep([&](double p, double fp, double sp, double d, bool in_past, bool in_future) {
      const double distances[kKinds] = {p, fp, sp, d};
#pragma unroll
      for (int kind = 0; kind < kKinds; ++kind) {
        before[kind] += distances[kind] < from;
        if (distances[kind] < from || distances[kind] > to) continue;
        const int place = atomicAdd(&counts[kind], 1);
        if (place < 32) values[kind][place] = distances[kind];
      }
      past_before += in_past, future_before += in_future;
    });
    __syncwarp();
    int near[kKinds];
#pragma unroll
    for (int kind = 0; kind < kKinds; ++kind) near[kind] = warp_sum(before[kind]);
    past_before = warp_sum(past_before), future_before = warp_sum(future_before);
    const int wanted = a.k - near[kJoint];  // eps is this one of those in the margin
    double eps;
    if (counts[0] <= 32 && counts[1] <= 32 && counts[2] <= 32 && counts[kJoint] <= 32 && wanted >= 1 && wanted <= counts[kJoint]) {
      const double mine = lane < counts[kJoint] ? values[kJoint][lane] : infinite;
      int smaller = 0;
      for (int m = 0; m < counts[kJoint]; ++m) smaller += values[kJoint][m] < mine || (values[kJoint][m] == mine && m < lane);
      eps = __shfl_sync(kFull, mine, __ffs(__ballot_sync(kFull, smaller == wanted - 1)) - 1);
#pragma unroll
      for (int kind = 0; kind < kJoint; ++kind) near[kind] += __popc(__ballot_sync(kFull, lane < counts[kind] && values[kind][lane] < eps));
    } else {
      // Many are equal, or nearly: from one distance to the next, a pass each.
      double now = from;
      int known = 0;
      bool first = true;
      eps = infinite;
      while (eps == infinite) {
        int here = 0;
        double next = infinite;
        sweep([&](double, double, double, double d, bool, bool) {
          here += first ? d < now : d == now;
          if (first ? d >= now : d > now) next = fmin(next, d);
        });
        known += warp_sum(here);
#pragma unroll
        for (int step = 16; step > 0; step /= 2) next = fmin(next, __shfl_xor_sync(kFull, next, step));
        if ((!first && known >= a.k) || next == infinite) eps = now;
        now = next, first = false;
      }
      int here[kJoint] = {};
      sweep([&](double p, double fp, double sp, double, bool, bool) { here[0] += p < eps, here[1] += fp < eps, here[2] += sp < eps; });
      for (int kind = 0; kind < kJoint; ++kind) near[kind] = warp_sum(here[kind]);
    }
    const int near_past = near[0], near_future = near[1], near_both = near[2];
    if (lane == 0) {
      Fixed change = w.psi[near_past + 1] - w.psi[near_both + 1] - w.psi[near_future + 1];
      if (doubt.counted) change -= w.psi[past_before + 1] - w.psi[doubt.both + 1] - w.psi[future_before + 1];
      add_to(w.sums + static_cast<int64_t>(doubt.task) * kLanes + doubt.lane, change);
    }
    __syncwarp();  // before the next doubt overwrites the lists
  }
}

// From sums of digamma [task][32] to transfer entropies: [task][32], or [target][variable] where lanes are variables.
__global__ void finish_kernel(const Fixed* sums, const Task* tasks, int count, int variables, double psi_k, double n, double* te) {
  const int m = blockIdx.x * blockDim.x + threadIdx.x;
  if (m >= count) return;
  const double value = psi_k + static_cast<double>(sums[m]) / kFixedOne / n;
  const Task task = tasks[m / kLanes];
  const int variable = task.block * kLanes + m % kLanes;
  if (task.variable >= 0) te[m] = value;
  else if (variable < variables) te[static_cast<int64_t>(task.target) * variables + variable] = value;
}

}  // namespace xcore::te
