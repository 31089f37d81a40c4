// What the kernels of the KSG network share: the layout of the data on the device and small helpers.
//
// T is float or double. A task is one target and a block of 32 source columns, one a lane: either 32 variables, or 32
// permutations of one variable. Columns are kept twice: as rows [variable][dims][n], and as blocks
// [block][dims][n][32], where the 32 lanes of a warp read one line of memory for one tuple.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace xcore::te {

constexpr int kLanes = 32;
constexpr unsigned kFull = 0xffffffffu;

struct Task {
  int target;    // within the prepared range
  int block;     // of source columns
  int variable;  // whose permutations the lanes are, or -1: lane l is variable 32 block + l
};

// An entry of a target's list: a tuple and its D_Y.
template <class T>
struct alignas(2 * sizeof(T)) Near {
  T distance;
  uint32_t tuple;
};

template <class T>
struct alignas(2 * sizeof(T)) FuturePast {
  T future, past;
};

template <class T>
struct PairsData {
  int64_t n;
  int variables, past_dims, source_dims, k, theiler, first_target;
  int cap;                 // entries of a list, a power of two
  const T* future;         // [variable][n], by tuple
  const T* past;           // [variable][past_dims][n], by tuple
  const T* source;         // [variable][source_dims][n], by tuple
  const FuturePast<T>* target_pairs;  // [variable][n], by tuple: F and P's first column side by side
  const T* future_ranked;  // the same of the targets' variables, in order of P's first column
  const T* past_ranked;
  const uint32_t* past_order;   // [variable][n]: rank -> tuple
  const uint32_t* visit;        // [variable][n]: ranks in an order of neighbours in P and F; or NULL
  const T* source_sorted;       // [variable][n]: S's first column ascending
  const uint32_t* source_order; // rank -> tuple
  const uint32_t* source_rank;  // tuple -> rank
  const Near<T>* lists;  // [target][rank][cap], ascending, padded with infinity
  const T* limits;       // [target][rank]: the list holds every tuple with D_Y below
};

// The 32 source columns of tasks.
template <class T>
struct SourceBlocks {
  const T* blocks;               // [block][source_dims][n][32]
  const uint32_t* permutations;  // [32][n] or NULL
  const uint32_t* inverse;       // [32][n] or NULL
  int lanes;                     // permutations in use; 32 for variables
};

template <class T>
__device__ __forceinline__ T absolute(T x) { return x < 0 ? -x : x; }
template <>
__device__ __forceinline__ float absolute(float x) { return fabsf(x); }
template <>
__device__ __forceinline__ double absolute(double x) { return fabs(x); }
__device__ __forceinline__ float lesser(float a, float b) { return fminf(a, b); }
__device__ __forceinline__ double lesser(double a, double b) { return fmin(a, b); }
__device__ __forceinline__ float greater(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ double greater(double a, double b) { return fmax(a, b); }
template <class T>
__device__ __forceinline__ T infinity() { return static_cast<T>(__builtin_huge_val()); }

// The k least values seen, ascending; b[kMaxK - 1] is the k-th. With k < kMaxK the first places hold -1, which no distance
// displaces, so that indices stay constants and the list in registers.
template <class T, int kMaxK>
struct Least {
  T b[kMaxK];
  __device__ __forceinline__ explicit Least(int k) {
#pragma unroll
    for (int m = 0; m < kMaxK; ++m) b[m] = m < kMaxK - k ? T(-1) : infinity<T>();
  }
  __device__ __forceinline__ void insert(T d) {
#pragma unroll
    for (int m = kMaxK - 1; m > 0; --m) b[m] = lesser(b[m], greater(b[m - 1], d));
    b[0] = lesser(b[0], d);
  }
  // Four at once: with a list of four, sorting them and taking the lesser halves costs 22 comparisons instead of 28.
  __device__ __forceinline__ void insert_four(T a0, T a1, T a2, T a3) {
    if constexpr (kMaxK == 4) {
      exchange(a0, a1), exchange(a2, a3), exchange(a0, a2), exchange(a1, a3), exchange(a1, a2);
      b[0] = lesser(b[0], a3), b[1] = lesser(b[1], a2), b[2] = lesser(b[2], a1), b[3] = lesser(b[3], a0);
      exchange(b[0], b[2]), exchange(b[1], b[3]), exchange(b[0], b[1]), exchange(b[2], b[3]);
    } else {
      insert(a0), insert(a1), insert(a2), insert(a3);
    }
  }
  static __device__ __forceinline__ void exchange(T& low, T& high) {
    const T x = lesser(low, high);
    high = greater(low, high);
    low = x;
  }
  __device__ __forceinline__ T kth() const { return b[kMaxK - 1]; }
};

__device__ __forceinline__ bool outside_window(int64_t i, int64_t j, int theiler) {
  const int64_t apart = i > j ? i - j : j - i;
  return apart > theiler;
}

__device__ __forceinline__ int warp_sum(int x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(kFull, x, step);
  return x;
}

// The least value of a warp; values are not negative.
template <class T>
__device__ __forceinline__ T warp_least(T x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x = lesser(x, __shfl_xor_sync(kFull, x, step));
  return x;
}
#if __CUDA_ARCH__ >= 800
template <>
__device__ __forceinline__ float warp_least(float x) {
  return __uint_as_float(__reduce_min_sync(kFull, __float_as_uint(x)));  // such floats are in the order of their bits
}
#endif

}  // namespace xcore::te
