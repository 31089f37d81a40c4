// What the walk leaves over, by whole warps: sources that are outliers at a tuple, whose way along the target's list is long,
// are served in the order of their own values; and n_FP beyond a list is counted in the order of P.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

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

// n_FP, by the whole warp in the window of P's first column; `close` takes how many D_Y are within `margin` of eps, and
// `closest` one of their tuples.
template <class T>
__device__ __forceinline__ int future_near(const PairsData<T>& a, int variable, int64_t rank, uint32_t tuple, T eps, T margin, int lane, int& close,
                                           uint32_t& closest) {
  const T* past = a.past_ranked + static_cast<int64_t>(variable) * a.past_dims * a.n;
  const T* future = a.future_ranked + variable * a.n;
  const uint32_t* order = a.past_order + variable * a.n;
  int count = 0;
  close = 0;
  for (int side = 0; side < 2; ++side) {
    for (int64_t step = 1; ; step += 32) {
      const int64_t j = side ? rank - step - lane : rank + step + lane;
      bool near = false, take = false, edge = false;
      uint32_t other = 0;
      if (j >= 0 && j < a.n) {
        T d = absolute(past[j] - past[rank]);
        near = d < eps + margin;
        d = greater(d, absolute(future[j] - future[rank]));
        for (int h = 1; h < a.past_dims; ++h) d = greater(d, absolute(past[h * a.n + j] - past[h * a.n + rank]));
        other = order[j];
        const bool allowed = outside_window(tuple, other, a.theiler);
        take = d < eps && allowed;
        edge = absolute(d - eps) <= margin && allowed;
      }
      count += __popc(__ballot_sync(kFull, take));
      if (const unsigned edges = __ballot_sync(kFull, edge)) {
        close += __popc(edges);
        closest = __shfl_sync(kFull, other, __ffs(edges) - 1);
      }
      if (__ballot_sync(kFull, near) != kFull) break;
    }
  }
  return count;
}

struct Within {
  int near, close;
};

// How many allowed tuples with P-ranks [low, high) have |F| below eps, and how many within `margin` of it; by the whole warp.
template <class T>
__device__ __forceinline__ Within future_within(const PairsData<T>& a, int variable, int rank, uint32_t tuple, int low, int high, T eps, T margin, int lane) {
  const T* future = a.future_ranked + variable * a.n;
  const uint32_t* order = a.past_order + variable * a.n;
  const T own = future[rank];
  int near = 0, close = 0;
#pragma unroll 4
  for (int j = low + lane; j < high; j += 32) {
    const T d = absolute(future[j] - own);
    bool allowed = j != rank;
    if (a.theiler > 0) allowed = outside_window(tuple, order[j], a.theiler);
    near += d < eps && allowed;
    close += absolute(d - eps) <= margin && allowed;
  }
  return {warp_sum(near), warp_sum(close)};
}

}  // namespace xcore::te
