// The lists of a target: for every tuple the nearest ones by D_Y, ascending. One warp a row. A row's candidates
// are a window around it in the order of P. Rows that follow each other are near in P and F, so that the radius that held about
// the wanted number in one is a good first guess in the next.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

constexpr int kListRows = 32;  // consecutive rows of one warp

// Sorts 32 * kRegisters entries ascending; entry e lies in register e / 32 of lane e % 32. A bitonic network, of which only what
// must name registers is unrolled: warps are at different places of it, and longer code would not stay in the instruction cache.
template <class T, int kRegisters>
struct EntrySorter {
  T (&d)[kRegisters];
  uint32_t (&t)[kRegisters];
  int lane;

  // Exchanges between lanes j apart; registers m with m & kDown are sorted descending.
  template <int kDown>
  __device__ __forceinline__ void between_lanes(int j, bool descending) {
    const T sign = ((lane & j) == 0) == descending ? T(-1) : T(1);
#pragma unroll
    for (int m = 0; m < kRegisters; ++m) {
      const T x = __shfl_xor_sync(kFull, d[m], j);
      const uint32_t y = __shfl_xor_sync(kFull, t[m], j);
      const bool take = m & kDown ? d[m] * sign < x * sign : x * sign < d[m] * sign;
      if (take) d[m] = x, t[m] = y;
    }
  }
  template <int kDown>
  __device__ __forceinline__ void between_registers() {
#pragma unroll
    for (int j = kRegisters / 2; j > 0; j /= 2) {
      if (j >= kDown) continue;
#pragma unroll
      for (int m = 0; m < kRegisters; ++m) {
        const int other = m ^ j;
        if (other < m) continue;
        if (m & kDown ? d[m] < d[other] : d[other] < d[m]) {
          const T x = d[m];
          d[m] = d[other], d[other] = x;
          const uint32_t y = t[m];
          t[m] = t[other], t[other] = y;
        }
      }
    }
  }
  // Runs of 32 kDown entries, ascending and descending by turns.
  template <int kDown>
  __device__ __forceinline__ void merge() {
    between_registers<kDown>();
#pragma unroll 1
    for (int j = 16; j > 0; j /= 2) between_lanes<kDown>(j, false);
    if constexpr (kDown < kRegisters) merge<2 * kDown>();
  }
  __device__ __forceinline__ void sort() {
#pragma unroll 1
    for (int k = 2; k < 32; k *= 2) {
#pragma unroll 1
      for (int j = k / 2; j > 0; j /= 2) between_lanes<0>(j, (lane & k) != 0);
    }
    merge<1>();
  }
};

// Room for more than a list takes: of what one pass through the window found, the nearest are picked without another.
template <class T>
constexpr int kListRoom = sizeof(T) == 4 ? 640 : 768;
template <class T>
constexpr int kListWarps = sizeof(T) == 4 ? 8 : 4;

template <class T, int kCap>
struct ListRow {
  const PairsData<T>& a;
  int variable, lane;
  int64_t rank, tuple;
  T* distances;      // shared, kListRoom
  uint32_t* tuples;  // shared, kListRoom

  // Puts the tuples with D_Y < radius into shared memory, as far as there is room; returns how many there are.
  __device__ int collect(T radius) const {
    const T* past = a.past_ranked + static_cast<int64_t>(variable) * a.past_dims * a.n;
    const T* future = a.future_ranked + variable * a.n;
    const uint32_t* order = a.past_order + variable * a.n;
    int count = 0;
    for (int side = 0; side < 2; ++side) {
      for (int64_t step = 1; ; step += 32) {
        const int64_t j = side ? rank - step - lane : rank + step + lane;
        const bool inside = j >= 0 && j < a.n;
        bool near = false, take = false;
        T d = 0;
        uint32_t other = 0;
        if (inside) {
          d = absolute(past[j] - past[rank]);
          near = d < radius;
          d = greater(d, absolute(future[j] - future[rank]));
          for (int h = 1; h < a.past_dims; ++h) d = greater(d, absolute(past[h * a.n + j] - past[h * a.n + rank]));
          other = order[j];
          take = near && d < radius && outside_window(tuple, other, a.theiler);
        }
        const unsigned taken = __ballot_sync(kFull, take);
        const int place = count + __popc(taken & ((1u << lane) - 1));
        if (take && place < kListRoom<T>) distances[place] = d, tuples[place] = other;
        count += __popc(taken);
        if (__ballot_sync(kFull, near) != kFull) break;
      }
    }
    __syncwarp();
    return count;
  }

  // How many of the `count` found are below radius.
  __device__ int below(T radius, int count) const {
    int inside = 0;
    for (int e = lane; e < count; e += 32) inside += distances[e] < radius;
    return warp_sum(inside);
  }
  // Keeps those alone.
  __device__ void keep(T radius, int count) const {
    int kept = 0;
    for (int start = 0; start < count; start += 32) {
      const int e = start + lane;
      const T d = e < count ? distances[e] : infinity<T>();
      const uint32_t t = e < count ? tuples[e] : 0;
      const bool take = d < radius;
      const unsigned taken = __ballot_sync(kFull, take);
      __syncwarp();
      if (take) {
        const int place = kept + __popc(taken & ((1u << lane) - 1));
        distances[place] = d, tuples[place] = t;
      }
      kept += __popc(taken);
      __syncwarp();
    }
  }
};

// The next radius to try, given that `count` were below `radius` and that the answer lies in (low, high): counts grow with the
// square of the radius.
template <class T>
__device__ __forceinline__ T next_radius(T radius, int count, int aim, T low, T high) {
  T next = radius * sqrt(static_cast<T>(aim) / static_cast<T>(count > 0 ? count : 1));
  if (!(high < infinity<T>())) return next < radius * T(1.05) ? radius * T(1.05) : next > radius * T(3) ? radius * T(3) : next;
  const T margin = (high - low) * T(0.1);
  return next < low + margin ? low + margin : next > high - margin ? high - margin : next;
}

template <class T, int kCap>
__global__ void __launch_bounds__(kListWarps<T> * 32) list_kernel(PairsData<T> a, Near<T>* lists, T* limits) {
  __shared__ T shared_distances[kListWarps<T>][kListRoom<T>];
  __shared__ uint32_t shared_tuples[kListWarps<T>][kListRoom<T>];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int target = blockIdx.y, variable = a.first_target + target;
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * kListWarps<T> + warp) * kListRows;
  const int64_t end = begin + kListRows < a.n ? begin + kListRows : a.n;
  T* distances = shared_distances[warp];
  uint32_t* tuples = shared_tuples[warp];
  const T* past = a.past_ranked + static_cast<int64_t>(variable) * a.past_dims * a.n;
  const int64_t available = a.n - 1 - 2 * static_cast<int64_t>(a.theiler);
  const int aim = kCap * 7 / 8;
  const int64_t half = available / 2 > 0 ? available / 2 : 0;
  const int least = static_cast<int>(half < kCap * 3 / 4 ? half : kCap * 3 / 4);

  // What the first pass should find: as far from too few as from more than there is room for.
  const T first_aim = lesser(static_cast<T>(sqrt(static_cast<T>(least) * kListRoom<T>)), static_cast<T>(kCap) * T(1.35));

  T radius = 0;
  int count = 0;  // of the row before
  for (int64_t m = begin; m < end; ++m) {
    const int64_t rank = a.visit ? a.visit[variable * a.n + m] : m;
    const ListRow<T, kCap> row{a, variable, lane, rank, a.past_order[variable * a.n + rank], distances, tuples};
    if (!(radius > 0)) {
      const int64_t right = rank + kCap / 2 < a.n ? rank + kCap / 2 : a.n - 1, left = rank > kCap / 2 ? rank - kCap / 2 : 0;
      radius = past[right] - past[left];
      if (!(radius > 0)) radius = T(1e-3);
    } else if (count > 0) {
      radius *= sqrt(first_aim / static_cast<T>(count));
    }
    T limit;
    if (a.n - 1 <= kCap) {
      limit = infinity<T>();
      count = row.collect(limit);
    } else {
      T low = 0, high = infinity<T>();  // known to be too small, too large
      bool found = false;
      for (int attempt = 0; attempt < 32; ++attempt) {
        count = row.collect(radius);
        if (count >= least && count <= kCap) {
          found = true;
          break;
        }
        if (count > kCap && count <= kListRoom<T>) {
          int inside = count;
          high = radius;
          for (int pick = 0; pick < 32 && !found; ++pick) {
            const T next = next_radius(pick == 0 ? high : radius, inside, aim, low, high);
            if (!(next > low) || !(next < high)) break;  // nothing in between: exact ties
            radius = next;
            inside = row.below(radius, count);
            found = inside >= least && inside <= kCap;
            if (!found) (inside > kCap ? high : low) = radius;
          }
          if (found) {
            row.keep(radius, count);
            count = inside;
          }
          break;
        }
        if (count > kCap) high = radius; else low = radius;
        const T next = next_radius(radius, count, aim, low, high);
        if (!(next > low) || !(next < high)) break;  // nothing in between: exact ties
        radius = next;
        __syncwarp();
      }
      limit = radius;
      if (!found) {
        limit = low;
        __syncwarp();
        count = row.collect(low);
        radius = 0;
      }
    }
    T d[kCap / 32];
    uint32_t t[kCap / 32];
#pragma unroll
    for (int m = 0; m < kCap / 32; ++m) {
      const int e = m * 32 + lane;
      d[m] = e < count ? distances[e] : infinity<T>();
      t[m] = e < count ? tuples[e] : static_cast<uint32_t>(row.tuple);
    }
    __syncwarp();
    EntrySorter<T, kCap / 32>{d, t, lane}.sort();
    Near<T>* out = lists + (target * a.n + rank) * kCap;
#pragma unroll
    for (int m = 0; m < kCap / 32; ++m) out[m * 32 + lane] = {d[m], t[m]};
    if (lane == 0) limits[target * a.n + rank] = limit;
  }
}

}  // namespace xcore::te
