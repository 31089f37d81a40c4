// Brings the columns into the orders and layouts the other kernels read: sorted, ranked, in blocks of 32 lanes.
#pragma once

#include "te/network/ksg/ksg_device.cuh"

namespace xcore::te {

constexpr int kSortThreads = 512;

template <class T>
__global__ void convert_kernel(const double* from, int64_t count, T* to) {
  for (int64_t m = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; m < count; m += static_cast<int64_t>(gridDim.x) * blockDim.x)
    to[m] = static_cast<T>(from[m]);
}

// One block of threads sorts one variable's column in shared memory; ties by tuple, so that the order is defined.
// padded: the power of two at or above n.
template <class T>
__global__ void __launch_bounds__(kSortThreads) sort_kernel(const T* columns, int64_t stride, int n, int padded, T* sorted, uint32_t* order) {
  extern __shared__ double shared_doubles[];
  T* key = reinterpret_cast<T*>(shared_doubles);
  uint32_t* index = reinterpret_cast<uint32_t*>(key + padded);
  const T* column = columns + blockIdx.x * stride;
  for (int m = threadIdx.x; m < padded; m += kSortThreads) {
    key[m] = m < n ? column[m] : infinity<T>();
    index[m] = m;
  }
  for (int k = 2; k <= padded; k *= 2) {
    for (int j = k / 2; j > 0; j /= 2) {
      __syncthreads();
      for (int m = threadIdx.x; m < padded / 2; m += kSortThreads) {
        const int low = 2 * m - (m & (j - 1)), high = low + j;
        const T x = key[low], y = key[high];
        const uint32_t xi = index[low], yi = index[high];
        const bool greater_first = y < x || (y == x && yi < xi);
        if (greater_first == ((low & k) == 0)) key[low] = y, key[high] = x, index[low] = yi, index[high] = xi;
      }
    }
  }
  __syncthreads();
  for (int m = threadIdx.x; m < n; m += kSortThreads) {
    if (sorted) sorted[static_cast<int64_t>(blockIdx.x) * n + m] = key[m];
    order[static_cast<int64_t>(blockIdx.x) * n + m] = index[m];
  }
}

// ranked[variable][dims][n] = columns[variable][dims][order[variable][n]]
template <class T>
__global__ void rank_kernel(const T* columns, const uint32_t* order, int64_t n, int dims, T* ranked) {
  const int64_t column = blockIdx.y;
  const int64_t variable = column / dims;
  const int64_t m = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (m < n) ranked[column * n + m] = columns[column * n + order[variable * n + m]];
}

// ranks[variable][order[variable][m]] = m
template <class Rank>
__global__ void invert_kernel(const uint32_t* order, int64_t n, Rank* ranks) {
  const int64_t m = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, base = static_cast<int64_t>(blockIdx.y) * n;
  if (m < n) ranks[base + order[base + m]] = static_cast<Rank>(m);
}

// Numbers in whose order ranks of P that are near in P and in F are near: strips of P, each along F, there and back.
template <class T>
__global__ void snake_kernel(const uint32_t* past_order, const uint32_t* future_rank, int n, int strip, T* keys) {
  const int r = blockIdx.x * blockDim.x + threadIdx.x;
  const int64_t base = static_cast<int64_t>(blockIdx.y) * n;
  if (r >= n) return;
  const int along = static_cast<int>(future_rank[base + past_order[base + r]]), at = r / strip;
  keys[base + r] = static_cast<T>(at * n + (at % 2 ? n - 1 - along : along));
}

// F and the first column of P side by side, by tuple.
template <class T>
__global__ void pairs_kernel(const T* future, const T* past, int64_t n, int past_dims, FuturePast<T>* out) {
  const int64_t m = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, v = blockIdx.y;
  if (m < n) out[v * n + m] = {future[v * n + m], past[v * past_dims * n + m]};
}

// blocks[b][h][t][lane] = source[32 b + lane][h][t]; 0 beyond the last variable. Threads 32 x 8, tiles through shared memory.
template <class T>
__global__ void block_kernel(const T* source, int variables, int dims, int64_t n, T* blocks) {
  __shared__ T tile[32][33];
  const int block = blockIdx.y, h = blockIdx.z;
  const int64_t t0 = static_cast<int64_t>(blockIdx.x) * 32;
  for (int lane = threadIdx.y; lane < 32; lane += 8) {
    const int variable = block * 32 + lane;
    const int64_t t = t0 + threadIdx.x;
    tile[lane][threadIdx.x] = variable < variables && t < n ? source[(static_cast<int64_t>(variable) * dims + h) * n + t] : T(0);
  }
  __syncthreads();
  for (int row = threadIdx.y; row < 32; row += 8) {
    const int64_t t = t0 + row;
    if (t < n) blocks[((static_cast<int64_t>(block) * dims + h) * n + t) * 32 + threadIdx.x] = tile[threadIdx.x][row];
  }
}

// blocks[v][h][t][lane] = source[first + v][h][permutations[lane][t]]
template <class T>
__global__ void permuted_block_kernel(const T* source, const uint32_t* permutations, int lanes, int first, int dims, int64_t n, T* blocks) {
  const int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (t >= n) return;
  const int lane = threadIdx.x;
  const uint32_t from = permutations[static_cast<int64_t>(lane < lanes ? lane : 0) * n + t];
  const int64_t column = static_cast<int64_t>(first + blockIdx.y) * dims + blockIdx.z;
  blocks[((static_cast<int64_t>(blockIdx.y) * dims + blockIdx.z) * n + t) * 32 + lane] = source[column * n + from];
}

}  // namespace xcore::te
