// The walk: 32 sources, one a lane, go down the list of one tuple together, so that the list is read once for all. Gives eps
// (the k-th distance) and n_FP; with one column of P also the ranks of P within eps.
//
// A warp goes as far as its slowest lane, so the walk ends when few lanes are left. What is left over of a few tuples makes a
// warp again, in which every lane goes on along its own list. Sources that are outliers at the tuple, whose neighbours lie beyond
// the list, are served from their own side.
#pragma once

#include "te/network/ksg/ksg_doubts.cuh"
#include "te/network/ksg/ksg_grid.cuh"
#include "te/network/ksg/ksg_source_side.cuh"

namespace xcore::te {

constexpr int kTilePitch = 33;  // a tuple's 32 values lie one after another, and a column's in all banks
constexpr int kStage = 4;       // ranks that a warp does together: their stragglers fill it, and whole sectors are written
constexpr int kStagePitch = kLanes + 1;
constexpr int kShown = 256;     // distances of a list in shared memory
constexpr int kChunk = 8;       // entries of a list between two looks at who is done
// The walk ends when no more lanes than these are unfinished. Their k least fit into a row of the stage.
template <int kMaxK>
constexpr int kStragglers = kLanes / (kMaxK > kStage ? kMaxK : kStage);

enum class Walk {
  tile,    // one column of P and of S; the 32 sources' values lie in shared memory
  lines,   // the same; each step reads a line of the sources' block
  general  // any number of columns
};

// What the walk tells the counts of one source at one rank. The sign of eps is a note for them: negative if S alone is within
// the margin of eps (see ksg_doubts.cuh). Zero: nothing is nearer, or the unit is counted again as a whole.
template <class T>
struct alignas(2 * sizeof(T)) Radius {
  T eps;
  // general: n_FP, and which coordinate is near eps << 30; else the P-ranks within eps, first and behind << 16, the other way
  // round where P or F leave a doubt
  uint32_t counts;

  static __device__ __forceinline__ uint32_t range(int low, int high, bool doubt) {
    return doubt ? static_cast<uint32_t>(high) | static_cast<uint32_t>(low) << 16 : static_cast<uint32_t>(low) | static_cast<uint32_t>(high) << 16;
  }
  __device__ __forceinline__ bool doubt() const { return (counts & 0xffff) > counts >> 16; }
  __device__ __forceinline__ int low() const { return static_cast<int>(min(counts & 0xffff, counts >> 16)); }
  __device__ __forceinline__ int high() const { return static_cast<int>(max(counts & 0xffff, counts >> 16)); }
};
constexpr uint32_t kNearSource = 1, kNearPast = 2, kNearFuture = 3;  // the one coordinate that eps is

template <class T>
struct WalkArgs {
  PairsData<T> data;
  SourceBlocks<T> sources;
  const Task* tasks;
  int task_count;
  int rows, chunks, abreast;  // a block of threads does `rows` ranks of a task; blocks go through `abreast` tasks together
  int cells;
  const uint16_t* past_cells;       // [variable][cells + 2]
  const CellScale<T>* past_scales;  // [variable]
  const Fixed* psi;                 // digamma of 0..n + 1
  const uint32_t* visit;            // [variable][n]: the order in which ranks are gone through; NULL: ascending
  Radius<T>* radii;                 // [task][32][n], in that order
  Fixed* sums;                      // [task][32]: takes the sum of psi(n_P + 1) - psi(n_FP + 1); not general
  Doubts doubts;
};

// Shared memory of one warp.
template <class T>
struct Stage {
  T eps[kStage * kStagePitch];
  T spare[kStage * kStagePitch];  // the k least of stragglers, then counts of Radius
  T shown[kShown + 4];            // distances of the list in hand, behind two that are never near, before one more

  __device__ __forceinline__ uint32_t& counts(int at) { return *reinterpret_cast<uint32_t*>(&spare[at]); }
};

template <class T>
inline size_t walk_shared(Walk walk, int64_t n, int cells, int threads) {
  const size_t stages = static_cast<size_t>(threads / 32) * sizeof(Stage<T>);
  if (walk != Walk::tile) return stages;
  return stages + (n + 2) * sizeof(Fixed) + ((n * kTilePitch + 3) / 4 * 4 + (n + 3) / 4 * 4) * sizeof(T) + (cells + 2) * sizeof(uint16_t);
}

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

// A warp of stragglers goes on while more than these are unfinished; the rest is served from the source's side.
template <Walk kWalk>
constexpr int kLast = kWalk == Walk::general ? 0 : 2;

// Tuples of the Theiler window, without the tuple itself, whose P is within eps.
template <class T>
__device__ __forceinline__ int past_in_window(const T* past, int n, int tuple, int theiler, T x, T eps) {
  int count = 0;
  const int to = min(n - 1, tuple + theiler);
  for (int other = max(0, tuple - theiler); other <= to; ++other) count += other != tuple && absolute(past[other] - x) < eps;
  return count;
}

template <class T, int kMaxK, Walk kWalk, int kThreads, int kBlocks>
__global__ void __launch_bounds__(kThreads, kBlocks) walk_kernel(WalkArgs<T> w) {
  constexpr bool kTile = kWalk == Walk::tile, kGeneral = kWalk == Walk::general;
  extern __shared__ double shared_doubles[];
  __shared__ int next_rows;
  __shared__ Fixed sums[kLanes];
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n);
  Stage<T>* stages = reinterpret_cast<Stage<T>*>(shared_doubles);
  Fixed* shared_psi = reinterpret_cast<Fixed*>(stages + kThreads / 32);
  T* tile = reinterpret_cast<T*>(shared_psi + n + 2);
  T* shared_past = tile + (n * kTilePitch + 3) / 4 * 4;
  uint16_t* shared_cells = reinterpret_cast<uint16_t*>(shared_past + (n + 3) / 4 * 4);

  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int together = w.abreast * w.chunks, within = blockIdx.x % together;
  const int task_index = blockIdx.x / together * w.abreast + within % w.abreast, begin = within / w.abreast * w.rows, end = min(n, begin + w.rows);
  if (task_index >= w.task_count) return;
  const Task task = w.tasks[task_index];
  const int variable = a.first_target + task.target;
  const uint32_t* order = a.past_order + static_cast<int64_t>(variable) * n;
  const int64_t plane = a.n * kLanes;
  const T* block = w.sources.blocks + static_cast<int64_t>(task.block) * (kGeneral ? a.source_dims : 1) * plane + lane;
  const bool valid = task.variable >= 0 ? lane < w.sources.lanes : task.block * kLanes + lane < a.variables;
  const unsigned lanes = __ballot_sync(kFull, valid);

  const T* past = a.past_ranked + static_cast<int64_t>(variable) * a.past_dims * n;
  const uint16_t* cells = w.past_cells + static_cast<int64_t>(variable) * (w.cells + 2);
  const Fixed* psi = w.psi;
  if (kTile) {
    for (int t = warp; t < n; t += kThreads / 32) tile[t * kTilePitch + lane] = block[t * kLanes];
    for (int m = threadIdx.x; m < n; m += kThreads) shared_past[m] = past[m];
    for (int m = threadIdx.x; m < n + 2; m += kThreads) shared_psi[m] = psi[m];
    for (int m = threadIdx.x; m < w.cells + 2; m += kThreads) shared_cells[m] = cells[m];
    past = shared_past, cells = shared_cells, psi = shared_psi;
  }
  CellScale<T> scale{};
  if (!kGeneral) scale = w.past_scales[variable];
  if (threadIdx.x < kLanes) sums[threadIdx.x] = 0;
  if (threadIdx.x == 0) next_rows = begin;
  __syncthreads();

  // |S - S| of tuples t and i, for this lane's source or that of lane `whose`.
  const auto value = [&](uint32_t t) { return kTile ? tile[t * kTilePitch + lane] : block[static_cast<int64_t>(t) * kLanes]; };
  const auto distance = [&](uint32_t t, uint32_t i, T own, int whose) {
    if (kTile) return absolute(tile[t * kTilePitch + whose] - own);
    const T* column = block + (whose - lane);
    T d = absolute(column[static_cast<int64_t>(t) * kLanes] - own);
    if (kGeneral)
      for (int h = 1; h < a.source_dims; ++h) d = greater(d, absolute(column[h * plane + static_cast<int64_t>(t) * kLanes] - column[h * plane + static_cast<int64_t>(i) * kLanes]));
    return d;
  };
  const Near<T>* lists = a.lists + static_cast<int64_t>(task.target) * n * a.cap;
  const T* limits = a.limits + static_cast<int64_t>(task.target) * n;
  const uint32_t* visit = w.visit ? w.visit + static_cast<int64_t>(variable) * n : nullptr;
  const FuturePast<T>* pairs = a.target_pairs + static_cast<int64_t>(variable) * n;
  const T* past_by_tuple = a.past + static_cast<int64_t>(variable) * a.past_dims * n;

  Stage<T>& stage = stages[warp];
  T* distances = stage.shown + 2;
  const int shown = min(a.cap, kShown);
  Fixed sum = 0;
  for (;;) {
    int base = 0;
    if (lane == 0) base = atomicAdd(&next_rows, kStage);
    base = __shfl_sync(kFull, base, 0);
    if (base >= end) break;
    const int rows = min(end - base, kStage);
    // Lane r keeps what the others ask about row r.
    unsigned row_left = 0;
    int row_rank = 0, row_walked = 0;
    uint32_t row_tuple = 0;
    if (lane < rows) {
      row_rank = visit ? visit[base + lane] : base + lane;
      row_tuple = order[row_rank];
    }
    for (int row = 0; row < rows; ++row) {
      const int rank = __shfl_sync(kFull, row_rank, row);
      const uint32_t tuple = __shfl_sync(kFull, row_tuple, row);
      const Near<T>* list = lists + static_cast<int64_t>(rank) * a.cap;
      const T own = value(tuple);
      Least<T, kMaxK> least(a.k);
      T reached;
      const auto take = [&](const T (&d)[kChunk], const uint32_t (&t)[kChunk]) {
        T s[kChunk];
#pragma unroll
        for (int u = 0; u < kChunk; ++u) s[u] = greater(d[u], distance(t[u], tuple, own, lane));
#pragma unroll
        for (int u = 0; u < kChunk; u += 4) least.insert_four(s[u], s[u + 1], s[u + 2], s[u + 3]);
        reached = d[kChunk - 1];
      };
      // What lies behind is at least as far as the last entry seen.
      const auto unfinished = [&] { return __ballot_sync(kFull, least.kth() > reached) & lanes; };
      T d0[kChunk], d1[kChunk];
      uint32_t t0[kChunk], t1[kChunk];
      load_chunk(list, d0, t0);
      int walked = 0;
      unsigned left;
      for (;;) {
        load_chunk(list + walked + kChunk, d1, t1);
        take(d0, t0);
        walked += kChunk;
        left = unfinished();
        if (__popc(left) <= kStragglers<kMaxK>) break;
        load_chunk(list + walked + kChunk, d0, t0);  // behind the last list there is room
        take(d1, t1);
        walked += kChunk;
        left = unfinished();
        if (walked >= a.cap || __popc(left) <= kStragglers<kMaxK>) break;
      }
      stage.eps[row * kStagePitch + lane] = least.kth();
      if (walked >= a.cap) left = 0;  // an eps beyond the list is found from the source's side
      if (left >> lane & 1) {
        T* kept = stage.spare + row * kStagePitch + __popc(left & ((1u << lane) - 1)) * kMaxK;
#pragma unroll
        for (int m = 0; m < kMaxK; ++m) kept[m] = least.b[m];
      }
      if (lane == row) row_left = left, row_walked = walked;
    }
    __syncwarp();

    // The stragglers of all rows, each on its own.
    if (__any_sync(kFull, row_left != 0)) {
      const int row = lane / kStragglers<kMaxK> % kStage, place = lane % kStragglers<kMaxK>;
      unsigned left = __shfl_sync(kFull, row_left, row);
      const uint32_t tuple = __shfl_sync(kFull, row_tuple, row);
      const Near<T>* list = lists + static_cast<int64_t>(__shfl_sync(kFull, row_rank, row)) * a.cap;
      int walked = __shfl_sync(kFull, row_walked, row);
#pragma unroll
      for (int m = 1; m < kStragglers<kMaxK>; ++m)
        if (m <= place) left &= left - 1;
      const bool mine = lane < kStage * kStragglers<kMaxK> && left != 0;
      const int whose = mine ? __ffs(left) - 1 : 0;
      const T own = (kTile ? tile[tuple * kTilePitch + whose] : block[static_cast<int64_t>(tuple) * kLanes + whose - lane]);
      Least<T, kMaxK> least(a.k);
      if (mine) {
#pragma unroll
        for (int m = 0; m < kMaxK; ++m) least.b[m] = stage.spare[row * kStagePitch + place * kMaxK + m];
      }
      bool going = mine;
      while (__popc(__ballot_sync(kFull, going)) > kLast<kWalk>) {
        if (!going) continue;
        T d[kChunk];
        uint32_t t[kChunk];
        load_chunk(list + walked, d, t);
        T s[kChunk];
#pragma unroll
        for (int u = 0; u < kChunk; ++u) s[u] = greater(d[u], distance(t[u], tuple, own, whose));
#pragma unroll
        for (int u = 0; u < kChunk; u += 4) least.insert_four(s[u], s[u + 1], s[u + 2], s[u + 3]);
        walked += kChunk;
        going = walked < a.cap && least.kth() > d[kChunk - 1];
      }
      if (mine) stage.eps[row * kStagePitch + whose] = going ? infinity<T>() : least.kth();
      __syncwarp();
    }

    for (int row = 0; row < rows; ++row) {
      const int rank = __shfl_sync(kFull, row_rank, row);
      const uint32_t tuple = __shfl_sync(kFull, row_tuple, row);
      const Near<T>* list = lists + static_cast<int64_t>(rank) * a.cap;
      const T limit = limits[rank];
      const T own = value(tuple);
      for (int m = lane; m < shown; m += 32) distances[m] = list[m].distance;
      if (lane < 2) distances[lane - 2] = -infinity<T>();
      if (lane == 2) distances[shown] = shown < a.cap ? list[shown].distance : infinity<T>();
      __syncwarp();
      T eps = stage.eps[row * kStagePitch + lane];
      for (unsigned beyond = __ballot_sync(kFull, eps > limit || eps == infinity<T>()) & lanes; beyond; beyond &= beyond - 1) {
        const int whose = __ffs(beyond) - 1;
        const int column = task.variable >= 0 ? task.variable : task.block * kLanes + whose;
        const int64_t row_base = static_cast<int64_t>(column) * n, lane_base = static_cast<int64_t>(whose) * n;
        const int own_row = w.sources.permutations ? w.sources.permutations[lane_base + tuple] : tuple;
        const SourceSide<T> side{a.source_sorted + row_base, a.source_order + row_base, w.sources.inverse ? w.sources.inverse + lane_base : nullptr,
                                 a.source + row_base * a.source_dims, pairs, past_by_tuple, n, kGeneral ? a.past_dims : 1,
                                 kGeneral ? a.source_dims : 1, a.theiler, a.k};
        const T kth = side.eps(a.source_rank[row_base + own_row], own_row, tuple, lane);
        if (lane == whose) eps = kth;
      }

      T magnitude = absolute(own);
      if (kDoubts<T>) {
        magnitude = greater(magnitude, greater(absolute(pairs[tuple].future), absolute(pairs[tuple].past)));
        if (kGeneral) {
          for (int h = 1; h < a.source_dims; ++h) magnitude = greater(magnitude, absolute(block[h * plane + static_cast<int64_t>(tuple) * kLanes]));
          for (int h = 1; h < a.past_dims; ++h) magnitude = greater(magnitude, absolute(past_by_tuple[static_cast<int64_t>(h) * n + tuple]));
        }
      }
      const T margin = margin_of(magnitude, eps);
      int near = 0, close = 0;  // n_FP; how many D_Y are within the margin, and one of their tuples
      uint32_t closest = 0;
      // Of what is close, the nearest on either side, and if there is one the next.
      const auto look = [&](auto&& distance_at) {
        if (!kDoubts<T>) return;
        const auto away = [&](int at) { return absolute(distance_at(at) - eps); };
        const bool close_above = away(near) <= margin, close_below = away(near - 1) <= margin;
        close = close_above + close_below;
        if (close == 1) close += away(close_above ? near + 1 : near - 2) <= margin;
        if (close > 0) closest = list[close_above ? near : near - 1].tuple;
      };
      if (eps <= distances[shown - 1]) {
        if (shown == kShown && distances[kShown / 2 - 1] < eps) near = kShown / 2;
#pragma unroll
        for (int step = kShown / 4; step > 0; step /= 2)
          if (distances[near + step - 1] < eps) near += step;
        look([&](int at) { return distances[at]; });
      } else {
        for (int step = a.cap / 2; step > 0; step /= 2)
          if (list[near + step - 1].distance < eps) near += step;
        near += list[near].distance < eps;
        look([&](int at) { return at < 0 || at >= a.cap ? infinity<T>() : list[at].distance; });
      }
      // Behind the list's limit.
      if (kGeneral) {
        for (unsigned unknown = __ballot_sync(kFull, eps + 2 * margin > limit) & lanes; unknown; unknown &= unknown - 1) {
          const int whose = __ffs(unknown) - 1;
          int edges;
          uint32_t edge = 0;
          const int count = future_near(a, variable, rank, tuple, __shfl_sync(kFull, eps, whose), __shfl_sync(kFull, margin, whose), lane, edges, edge);
          if (lane == whose) near = count, close = edges, closest = edge;
        }
      }
      // Which coordinate eps is, if that is beyond doubt: S where D_Y is away, else P or F.
      uint32_t which = kNearSource;
      if (kDoubts<T> && close > 0) {
        const FuturePast<T> there = pairs[closest];
        T p = absolute(there.past - pairs[tuple].past);
        if (kGeneral)
          for (int h = 1; h < a.past_dims; ++h) p = greater(p, absolute(past_by_tuple[static_cast<int64_t>(h) * n + closest] - past_by_tuple[static_cast<int64_t>(h) * n + tuple]));
        which = p > absolute(there.future - pairs[tuple].future) + margin ? kNearPast : kNearFuture;
      }
      bool doubt = close > 1;
      bool again = kDoubts<T> && !(eps > 4 * margin);  // to be counted as a whole

      uint32_t counts = static_cast<uint32_t>(near) | which << 30;
      if (kGeneral) {
        again |= doubt;
      } else {
        int low = 0, high = 0, near_past = 0;
        const T x = past[rank];
        if (eps > 0 && valid) range_of(past, n, cells, scale, w.cells, x, eps, low, high);
        int close_past = 0;
        if (kDoubts<T> && eps > 0 && valid) close_past = close_to(past, n, x, eps, margin, low, high);
        // Behind the list's limit n_FP is counted in the range of P. There a coordinate of F is looked at by itself.
        const bool behind = eps + 2 * margin > limit;
        for (unsigned unknown = __ballot_sync(kFull, behind) & lanes; unknown; unknown &= unknown - 1) {
          const int whose = __ffs(unknown) - 1;
          const Within f = future_within(a, variable, rank, tuple, __shfl_sync(kFull, low, whose), __shfl_sync(kFull, high, whose),
                                         __shfl_sync(kFull, eps, whose), __shfl_sync(kFull, margin, whose), lane);
          if (lane == whose) {
            near = f.near;
            which = f.close ? kNearFuture : close_past ? kNearPast : kNearSource;
            doubt = kDoubts<T> && f.close > 1;
          }
        }
        doubt |= kDoubts<T> && close_past != static_cast<int>(which == kNearPast);
        again |= doubt && behind;
        if (eps > 0 && valid) {
          near_past = high - low - 1;
          if (a.theiler > 0) near_past -= past_in_window(past_by_tuple, n, static_cast<int>(tuple), a.theiler, x, eps);
        }
        if (!again) sum += psi[near_past + 1] - psi[near + 1];
        counts = Radius<T>::range(low, high, doubt);
        if (kDoubts<T> && which == kNearSource) stage.eps[row * kStagePitch + lane] = -eps;
        else stage.eps[row * kStagePitch + lane] = eps;
      }
      if (kGeneral || again) stage.eps[row * kStagePitch + lane] = again ? T(0) : eps;
      if (again && valid) w.doubts.add({task_index, rank, static_cast<float>(eps), static_cast<uint16_t>(lane), 0, 0});
      stage.counts(row * kStagePitch + lane) = counts;
      __syncwarp();  // before the next list's distances
    }
    __syncwarp();
    const int row = lane % kStage;
    if (row < rows) {
      for (int column = lane / kStage; column < kLanes; column += 32 / kStage)
        w.radii[(static_cast<int64_t>(task_index) * kLanes + column) * n + base + row] = {stage.eps[row * kStagePitch + column], stage.counts(row * kStagePitch + column)};
    }
    __syncwarp();
  }
  if (kGeneral) return;
  add_to(&sums[lane], sum);
  __syncthreads();
  if (threadIdx.x < kLanes) add_to(w.sums + static_cast<int64_t>(task_index) * kLanes + threadIdx.x, sums[threadIdx.x]);
}

}  // namespace xcore::te
