// Brute force in fp64 or fp32: eight lanes share a tuple, each sees every eighth neighbour of a tile in shared memory,
// keeps its own k best, and the eight lists are merged by shuffles. A second sweep counts; algorithm 2 has one more
// before it, which finds the radius of each block. Blocks along y are permutations, so an estimate and all its
// surrogates fill the device together.
#include <algorithm>
#include <vector>

#include "runtime/cuda.hpp"
#include "runtime/trace.hpp"
#include "te/ksg/ksg.hpp"

namespace xcore::te {
namespace {

constexpr int kLanes = 8;
constexpr int kTuples = 16;  // a block
constexpr int kThreads = kLanes * kTuples;
constexpr int kTile = 128;
static_assert(kTile == kThreads, "each thread loads one neighbour of a tile");

template <class T>
struct Args {
  const T* columns;  // P, F, S: column-major, n rows
  const int32_t* permutations;  // NULL: identity
  const int32_t* time;          // NULL: the index
  KsgCounts* out;
  int64_t n, begin, end;  // tuples of this launch
  int past_dims, future_dims, dims, k, theiler, algorithm;
};

// Shared memory: tile[dims][kTile], own[dims][kTuples].
template <class T>
__device__ __forceinline__ T distance(const T* tile, const T* own, int from, int to, int j, int tuple) {
  T d = 0;
  for (int c = from; c < to; ++c) d = max(d, abs(tile[c * kTile + j] - own[c * kTuples + tuple]));
  return d;
}

// Over the eight lanes of a tuple.
template <class T>
__device__ __forceinline__ T largest_of_lanes(T x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) x = max(x, __shfl_xor_sync(0xffffffffu, x, step));
  return x;
}
__device__ __forceinline__ int sum_of_lanes(int x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

template <class T, int kMaxK>
__global__ void __launch_bounds__(kThreads) ksg_kernel(Args<T> a) {
  extern __shared__ double shared[];
  T* tile = reinterpret_cast<T*>(shared);
  T* own = tile + static_cast<size_t>(a.dims) * kTile;
  const int tuple = threadIdx.x / kLanes, lane = threadIdx.x % kLanes;
  const int64_t i = a.begin + static_cast<int64_t>(blockIdx.x) * kTuples + tuple;
  const bool active = i < a.end;
  const int32_t* permutation = a.permutations ? a.permutations + static_cast<int64_t>(blockIdx.y) * a.n : nullptr;
  const int plain = a.past_dims + a.future_dims;  // columns before S

  for (int c = lane; c < a.dims; c += kLanes) {
    const int64_t row = !active ? 0 : c >= plain && permutation ? permutation[i] : i;
    own[c * kTuples + tuple] = a.columns[c * a.n + row];
  }

  const auto load_tile = [&](int64_t start) {
    __syncthreads();  // the tile before was read
    const int64_t j = start + threadIdx.x;
    if (j < a.n) {
      const int64_t row = permutation ? permutation[j] : j;
      for (int c = 0; c < plain; ++c) tile[c * kTile + threadIdx.x] = a.columns[c * a.n + j];
      for (int c = plain; c < a.dims; ++c) tile[c * kTile + threadIdx.x] = a.columns[c * a.n + row];
    }
    __syncthreads();
  };
  const int64_t now = a.time && active ? a.time[i] : i;
  const auto allowed = [&](int64_t j) {
    const int64_t then = a.time ? a.time[j] : j;
    return (then > now ? then - now : now - then) > a.theiler;
  };
  const auto joint = [&](int j) { return distance(tile, own, 0, a.dims, j, tuple); };

  T best[kMaxK];
#pragma unroll
  for (int m = 0; m < kMaxK; ++m) best[m] = INFINITY;
  for (int64_t start = 0; start < a.n; start += kTile) {
    load_tile(start);
    const int count = static_cast<int>(min(static_cast<int64_t>(kTile), a.n - start));
    for (int j = lane; active && j < count; j += kLanes) {
      T d = joint(j);
      if (d < best[kMaxK - 1] && allowed(start + j)) {
        // Bubbles d into the ascending list; indices are constants, so the list stays in registers.
#pragma unroll
        for (int m = 0; m < kMaxK; ++m) {
          const T smaller = min(best[m], d);
          d = max(best[m], d);
          best[m] = smaller;
        }
      }
    }
  }

  // The k-th smallest of the eight lists: k times the smallest head leaves. Every lane of the warp takes part.
  T eps = 0;
  for (int taken = 0; taken < a.k; ++taken) {
    T head = best[0];
    int owner = lane;
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) {
      const T other = __shfl_xor_sync(0xffffffffu, head, step);
      const int other_owner = __shfl_xor_sync(0xffffffffu, owner, step);
      if (other < head || (other == head && other_owner < owner)) head = other, owner = other_owner;
    }
    eps = head;
    if (owner == lane) {
#pragma unroll
      for (int m = 0; m + 1 < kMaxK; ++m) best[m] = best[m + 1];
      best[kMaxK - 1] = INFINITY;
    }
  }

  // Radii of the blocks, and whether a distance equal to one counts.
  T past_eps = eps, future_eps = eps, source_eps = eps;
  const bool closed = a.algorithm == 2;
  if (closed) {
    T p = 0, f = 0, s = 0;
    int nearer = 0, ties = 0;
    T tie_p = 0, tie_f = 0, tie_s = 0;
    for (int64_t start = 0; start < a.n; start += kTile) {
      load_tile(start);
      const int count = static_cast<int>(min(static_cast<int64_t>(kTile), a.n - start));
      for (int j = lane; active && j < count; j += kLanes) {
        const T d = joint(j);
        if (!(d <= eps) || !allowed(start + j)) continue;
        const T dp = distance(tile, own, 0, a.past_dims, j, tuple), df = distance(tile, own, a.past_dims, plain, j, tuple),
                ds = distance(tile, own, plain, a.dims, j, tuple);
        if (d < eps) ++nearer, p = max(p, dp), f = max(f, df), s = max(s, ds);
        else ++ties, tie_p = max(tie_p, dp), tie_f = max(tie_f, df), tie_s = max(tie_s, ds);
      }
    }
    nearer = sum_of_lanes(nearer), ties = sum_of_lanes(ties);
    p = largest_of_lanes(p), f = largest_of_lanes(f), s = largest_of_lanes(s);
    tie_p = largest_of_lanes(tie_p), tie_f = largest_of_lanes(tie_f), tie_s = largest_of_lanes(tie_s);
    const int wanted = a.k - nearer;
    if (ties <= wanted) {
      p = max(p, tie_p), f = max(f, tie_f), s = max(s, tie_s);
    } else if (active) {
      // More at exactly eps than there is room for: the earliest ones, read again in order. Rare without exact ties.
      int taken = 0;
      for (int64_t j = 0; j < a.n && taken < wanted; ++j) {
        if (!allowed(j)) continue;
        T dp = 0, df = 0, ds = 0;
        for (int c = 0; c < a.dims; ++c) {
          const int64_t row = c >= plain && permutation ? permutation[j] : j;
          const T d = abs(a.columns[c * a.n + row] - own[c * kTuples + tuple]);
          if (c < a.past_dims) dp = max(dp, d);
          else if (c < plain) df = max(df, d);
          else ds = max(ds, d);
        }
        if (max(dp, max(df, ds)) != eps) continue;
        ++taken, p = max(p, dp), f = max(f, df), s = max(s, ds);
      }
    }
    past_eps = p, future_eps = f, source_eps = s;
  }

  int past = 0, source_past = 0, future_past = 0;
  for (int64_t start = 0; start < a.n; start += kTile) {
    load_tile(start);
    const int count = static_cast<int>(min(static_cast<int64_t>(kTile), a.n - start));
    for (int j = lane; active && j < count; j += kLanes) {
      if (a.past_dims > 0) {
        const T d = distance(tile, own, 0, a.past_dims, j, tuple);
        if (closed ? !(d <= past_eps) : !(d < past_eps)) continue;
      }
      if (!allowed(start + j)) continue;
      ++past;
      const T f = distance(tile, own, a.past_dims, plain, j, tuple), s = distance(tile, own, plain, a.dims, j, tuple);
      future_past += closed ? f <= future_eps : f < future_eps;
      source_past += closed ? s <= source_eps : s < source_eps;
    }
  }
  past = sum_of_lanes(past), source_past = sum_of_lanes(source_past), future_past = sum_of_lanes(future_past);
  if (a.past_dims == 0) past = static_cast<int>(a.n) - (closed ? 0 : 1);
  if (active && lane == 0)
    a.out[static_cast<int64_t>(blockIdx.y) * (a.end - a.begin) + (i - a.begin)] = {past, source_past, future_past};
}

template <class T>
void launch(const Args<T>& a, int64_t count, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((a.end - a.begin + kTuples - 1) / kTuples), static_cast<unsigned>(count));
  const size_t bytes = static_cast<size_t>(a.dims) * (kTile + kTuples) * sizeof(T);
  if (a.k <= 4) ksg_kernel<T, 4><<<grid, kThreads, bytes, stream>>>(a);
  else if (a.k <= 8) ksg_kernel<T, 8><<<grid, kThreads, bytes, stream>>>(a);
  else if (a.k <= 16) ksg_kernel<T, 16><<<grid, kThreads, bytes, stream>>>(a);
  else ksg_kernel<T, 32><<<grid, kThreads, bytes, stream>>>(a);
  XC_CUDA_LAUNCHED("ksg_kernel");
}

template <class T>
void counts_of(int device, const KsgProblem& p, const int32_t* permutations, int64_t count, KsgCounts* out, const Control& control) {
  const int dims = p.past_dims + p.future_dims + p.source_dims;
  const cuda::DeviceScope scope(device);
  const cuda::Stream stream(device);
  cuda::Buffer<T> columns(static_cast<size_t>(dims) * p.n, stream);
  std::vector<T> host;
  host.reserve(static_cast<size_t>(dims) * p.n);
  host.insert(host.end(), p.past, p.past + static_cast<int64_t>(p.past_dims) * p.n);
  host.insert(host.end(), p.future, p.future + static_cast<int64_t>(p.future_dims) * p.n);
  host.insert(host.end(), p.source, p.source + static_cast<int64_t>(p.source_dims) * p.n);
  columns.upload(host.data(), host.size());
  cuda::Buffer<int32_t> time(p.time ? static_cast<size_t>(p.n) : 1, stream);
  if (p.time) time.upload(p.time, static_cast<size_t>(p.n));

  // A launch stays near 4e9 pairs, some tens of milliseconds, so that cancelling works; and near 5e6 counts of memory.
  const int64_t tuples = std::min(p.n, std::max<int64_t>(kTuples, int64_t{4000000000} / p.n));
  int64_t batch = std::max<int64_t>(1, std::min(int64_t{4000000000} / (tuples * p.n), int64_t{5000000} / p.n));
  batch = std::min<int64_t>({batch, count, 65535});
  cuda::Buffer<int32_t> rows(permutations ? static_cast<size_t>(batch) * p.n : 1, stream);
  cuda::Buffer<KsgCounts> counts(static_cast<size_t>(batch) * tuples, stream);
  std::vector<KsgCounts> part(tuples < p.n ? static_cast<size_t>(batch) * tuples : 0);
  for (int64_t first = 0; first < count; first += batch) {
    const int64_t many = std::min(batch, count - first);
    if (permutations) rows.upload(permutations + first * p.n, static_cast<size_t>(many) * p.n);
    for (int64_t begin = 0; begin < p.n; begin += tuples) {
      control.throw_if_cancelled();
      const int64_t end = std::min(p.n, begin + tuples);
      launch<T>({columns.data(), permutations ? rows.data() : nullptr, p.time ? time.data() : nullptr, counts.data(), p.n, begin,
                 end, p.past_dims, p.future_dims, dims, p.k, p.theiler, p.algorithm},
                many, stream);
      if (tuples == p.n) {
        counts.download(out + first * p.n, static_cast<size_t>(many) * p.n);
        stream.synchronize();
      } else {
        counts.download(part.data(), static_cast<size_t>(many) * (end - begin));
        stream.synchronize();
        for (int64_t m = 0; m < many; ++m)
          std::copy_n(part.data() + m * (end - begin), end - begin, out + (first + m) * p.n + begin);
      }
    }
  }
}

}  // namespace

void ksg_counts_cuda(int device, const KsgProblem& p, const int32_t* permutations, int64_t count, KsgCounts* out,
                     const Control& control) {
  const int dims = p.past_dims + p.future_dims + p.source_dims;
  if (p.k > kKsgCudaMaxK || dims > kKsgCudaMaxDims)
    throw error(XC_UNSUPPORTED, p.k > kKsgCudaMaxK ? "k" : "dimensions", -1,
                "on CUDA k is at most %d and the embedded columns at most %d; here they are %d and %d. Use the CPU.",
                kKsgCudaMaxK, kKsgCudaMaxDims, p.k, dims);
  if (p.single) counts_of<float>(device, p, permutations, count, out, control);
  else counts_of<double>(device, p, permutations, count, out, control);
}

}  // namespace xcore::te
