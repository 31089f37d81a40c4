// Brute force in fp64: eight lanes share a tuple, each sees every eighth neighbour of a tile in shared memory, keeps its
// own k best, and the eight lists are merged by shuffles. A second sweep counts. Blocks along y are permutations, so
// an estimate and all its surrogates fill the device together.
#include <algorithm>

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

struct Args {
  const double* columns;  // P, F, S: column-major, n rows
  const int32_t* permutations;  // NULL: identity
  KsgCounts* out;
  int64_t n, begin, end;  // tuples of this launch
  int past_dims, future_dims, dims, k, theiler;
};

// Shared memory: tile[dims][kTile], own[dims][kTuples].
__device__ __forceinline__ double distance(const double* tile, const double* own, int from, int to, int j, int tuple) {
  double d = 0;
  for (int c = from; c < to; ++c) d = fmax(d, fabs(tile[c * kTile + j] - own[c * kTuples + tuple]));
  return d;
}

template <int kMaxK>
__global__ void __launch_bounds__(kThreads) ksg_kernel(Args a) {
  extern __shared__ double shared[];
  double* tile = shared;
  double* own = shared + static_cast<size_t>(a.dims) * kTile;
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
  const auto allowed = [&](int64_t j) {
    const int64_t apart = j > i ? j - i : i - j;
    return apart > a.theiler;
  };

  double best[kMaxK];
#pragma unroll
  for (int m = 0; m < kMaxK; ++m) best[m] = INFINITY;
  for (int64_t start = 0; start < a.n; start += kTile) {
    load_tile(start);
    const int count = static_cast<int>(min(static_cast<int64_t>(kTile), a.n - start));
    for (int j = lane; active && j < count; j += kLanes) {
      double d = distance(tile, own, 0, a.dims, j, tuple);
      if (d < best[kMaxK - 1] && allowed(start + j)) {
        // Bubbles d into the ascending list; indices are constants, so the list stays in registers.
#pragma unroll
        for (int m = 0; m < kMaxK; ++m) {
          const double smaller = fmin(best[m], d);
          d = fmax(best[m], d);
          best[m] = smaller;
        }
      }
    }
  }

  // The k-th smallest of the eight lists: k times the smallest head leaves. Every lane of the warp takes part.
  double eps = 0;
  for (int taken = 0; taken < a.k; ++taken) {
    double head = best[0];
    int owner = lane;
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) {
      const double other = __shfl_xor_sync(0xffffffffu, head, step);
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

  int past = 0, source_past = 0, future_past = 0;
  for (int64_t start = 0; start < a.n; start += kTile) {
    load_tile(start);
    const int count = static_cast<int>(min(static_cast<int64_t>(kTile), a.n - start));
    for (int j = lane; active && j < count; j += kLanes) {
      if (!(distance(tile, own, 0, a.past_dims, j, tuple) < eps) || !allowed(start + j)) continue;
      ++past;
      future_past += distance(tile, own, a.past_dims, plain, j, tuple) < eps;
      source_past += distance(tile, own, plain, a.dims, j, tuple) < eps;
    }
  }
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    past += __shfl_xor_sync(0xffffffffu, past, step);
    source_past += __shfl_xor_sync(0xffffffffu, source_past, step);
    future_past += __shfl_xor_sync(0xffffffffu, future_past, step);
  }
  if (active && lane == 0)
    a.out[static_cast<int64_t>(blockIdx.y) * (a.end - a.begin) + (i - a.begin)] = {past, source_past, future_past};
}

void launch(const Args& a, int64_t count, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((a.end - a.begin + kTuples - 1) / kTuples), static_cast<unsigned>(count));
  const size_t bytes = static_cast<size_t>(a.dims) * (kTile + kTuples) * sizeof(double);
  if (a.k <= 4) ksg_kernel<4><<<grid, kThreads, bytes, stream>>>(a);
  else if (a.k <= 8) ksg_kernel<8><<<grid, kThreads, bytes, stream>>>(a);
  else if (a.k <= 16) ksg_kernel<16><<<grid, kThreads, bytes, stream>>>(a);
  else ksg_kernel<32><<<grid, kThreads, bytes, stream>>>(a);
  XC_CUDA_LAUNCHED("ksg_kernel");
}

}  // namespace

void ksg_counts_cuda(int device, const KsgProblem& p, const int32_t* permutations, int64_t count, KsgCounts* out,
                     const Control& control) {
  const int dims = p.past_dims + p.future_dims + p.source_dims;
  if (p.k > kKsgCudaMaxK || dims > kKsgCudaMaxDims)
    throw error(XC_UNSUPPORTED, p.k > kKsgCudaMaxK ? "k" : "dimensions", -1,
                "on CUDA k is at most %d and the embedded columns at most %d; here they are %d and %d. Use the CPU.",
                kKsgCudaMaxK, kKsgCudaMaxDims, p.k, dims);
  const cuda::DeviceScope scope(device);
  const cuda::Stream stream(device);
  cuda::Buffer<double> columns(static_cast<size_t>(dims) * p.n, stream);
  const auto copy = [&](int first, const double* from, int many) {
    XC_CUDA(cudaMemcpyAsync(columns.data() + static_cast<int64_t>(first) * p.n, from,
                            static_cast<size_t>(many) * p.n * sizeof(double), cudaMemcpyHostToDevice, stream));
  };
  copy(0, p.past, p.past_dims);
  copy(p.past_dims, p.future, p.future_dims);
  copy(p.past_dims + p.future_dims, p.source, p.source_dims);

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
      launch({columns.data(), permutations ? rows.data() : nullptr, counts.data(), p.n, begin, end, p.past_dims,
              p.future_dims, dims, p.k, p.theiler},
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

}  // namespace xcore::te
