// In fp64 throughout: at 1000 x 1000 the product is 4 GFLOP, a fifth of a millisecond on a GPU with full fp64 rate, so there
// is nothing to gain from fewer bits.
#include <algorithm>

#include "runtime/cuda.hpp"
#include "runtime/error.hpp"
#include "te/embedding/embedding.hpp"
#include "te/network/gaussian/gaussian_pairs.hpp"
#include "te/network/staging/staging.hpp"

namespace xcore::te {
namespace {

constexpr int kUnitThreads = 256;

__device__ double block_sum(double x, double* shared) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  double total = 0;
  for (int m = 0; m < kUnitThreads / 32; ++m) total += shared[m];
  return total;
}

// units[variable][column][n] = window of the series at starts[column], centred, of length 1; zeros for a constant window.
__global__ void __launch_bounds__(kUnitThreads) unit_kernel(const double* values, int64_t samples, int64_t n, const int64_t* starts,
                                                            int columns, double* units) {
  __shared__ double shared[kUnitThreads / 32];
  const double* x = values + blockIdx.x * samples + starts[blockIdx.y];
  double* out = units + (static_cast<int64_t>(blockIdx.x) * columns + blockIdx.y) * n;
  double sum = 0;
  for (int64_t t = threadIdx.x; t < n; t += kUnitThreads) sum += x[t] - x[0];  // a huge offset costs no digits
  const double mean = block_sum(sum, shared) / static_cast<double>(n);
  double squares = 0;
  bool varies = false;
  for (int64_t t = threadIdx.x; t < n; t += kUnitThreads) {
    const double d = (x[t] - x[0]) - mean;
    squares += d * d;
    varies = varies || x[t] != x[0];
  }
  const double total = block_sum(squares, shared);
  const double scale = __syncthreads_or(varies) && total > 0 ? 1 / sqrt(total) : 0;
  for (int64_t t = threadIdx.x; t < n; t += kUnitThreads) out[t] = ((x[t] - x[0]) - mean) * scale;
}

// c[i][j] = sum_t a[i][t] b[j][t]: tiles of 64 x 64, 16 deep, 4 x 4 a thread.
constexpr int kTile = 64, kDepth = 16;
__global__ void __launch_bounds__(256) product_kernel(const double* a, const double* b, int64_t rows, int64_t columns, int64_t n, double* c) {
  __shared__ double sa[kDepth][kTile + 2], sb[kDepth][kTile + 2];
  const int64_t i0 = static_cast<int64_t>(blockIdx.y) * kTile, j0 = static_cast<int64_t>(blockIdx.x) * kTile;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  double sum[4][4] = {};
  for (int64_t t0 = 0; t0 < n; t0 += kDepth) {
    for (int m = threadIdx.x; m < kTile * kDepth; m += 256) {
      const int row = m / kDepth, t = m % kDepth;
      const bool inside = t0 + t < n;
      sa[t][row] = inside && i0 + row < rows ? a[(i0 + row) * n + t0 + t] : 0;
      sb[t][row] = inside && j0 + row < columns ? b[(j0 + row) * n + t0 + t] : 0;
    }
    __syncthreads();
#pragma unroll
    for (int t = 0; t < kDepth; ++t) {
      double x[4], y[4];
#pragma unroll
      for (int m = 0; m < 4; ++m) x[m] = sa[t][ty + 16 * m], y[m] = sb[t][tx + 16 * m];
#pragma unroll
      for (int p = 0; p < 4; ++p)
#pragma unroll
        for (int q = 0; q < 4; ++q) sum[p][q] = fma(x[p], y[q], sum[p][q]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int p = 0; p < 4; ++p)
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      const int64_t i = i0 + ty + 16 * p, j = j0 + tx + 16 * q;
      if (i < rows && j < columns) c[i * columns + j] = sum[p][q];
    }
}

// own[variable][d][d]: products of a variable's own columns. One warp a product.
__global__ void own_kernel(const double* units, int columns, int64_t n, double* own) {
  const int p = threadIdx.y / columns, q = threadIdx.y % columns;
  const double* x = units + (static_cast<int64_t>(blockIdx.x) * columns + p) * n;
  const double* y = units + (static_cast<int64_t>(blockIdx.x) * columns + q) * n;
  double sum = 0;
  for (int64_t t = threadIdx.x; t < n; t += 32) sum += x[t] * y[t];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (threadIdx.x == 0) own[static_cast<int64_t>(blockIdx.x) * columns * columns + threadIdx.y] = sum;
}

// target columns: P newest first, then F. cross[(target * (past + 1) + c)][source * sources + h].
__global__ void pair_kernel(const double* target_own, const double* source_own, const double* cross, int variables, int from, int past,
                            int source, double* te) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, target = blockIdx.y;
  if (x >= variables) return;
  const int y = from + target, wide = past + 1;
  const int64_t pitch = static_cast<int64_t>(variables) * source;
  const double* t = target_own + static_cast<int64_t>(target) * wide * wide;
  const double* s = source_own + static_cast<int64_t>(x) * source * source;
  const double* c = cross + static_cast<int64_t>(target) * wide * pitch + static_cast<int64_t>(x) * source;
  double value = 0;
  if (x != y) {
    if (past == 1 && source == 1) {
      value = gaussian_pair_te_1(t[0], s[0], t[3], c[0], t[1], c[pitch]);
    } else {
      const int dims = wide + source;
      double r[kGaussianMaxDims * kGaussianMaxDims];
      const auto at = [&](int i) { return i < past ? i : i < past + source ? -(i - past) - 1 : past; };
      for (int i = 0; i < dims; ++i)
        for (int j = 0; j < dims; ++j) {
          const int a = at(i), b = at(j);
          r[i * dims + j] = a >= 0 && b >= 0 ? t[a * wide + b] : a < 0 && b < 0 ? s[(-a - 1) * source + (-b - 1)] : a >= 0 ? c[a * pitch - b - 1] : c[b * pitch - a - 1];
        }
      value = gaussian_pair_te(r, past, source);
    }
  }
  te[static_cast<int64_t>(target) * variables + x] = value;
}

}  // namespace

void gaussian_pairs_cuda(int device, const double* values, int32_t variables, int64_t samples, const xc_te_options& o, int32_t from,
                         int32_t to, double* te, const Control& control) {
  const auto shape = embedding_shape(samples, o);
  const int past = o.target_history, source = o.source_history, wide = past + 1;
  if (past + source + 1 > kGaussianMaxDims || wide * wide > 32 || source * source > 32)
    throw error(XC_UNSUPPORTED, "history", -1, "Gaussian networks on CUDA take histories up to 4 and 5; here they are %d and %d. Use the CPU.",
                past, source);
  control.throw_if_cancelled();
  const cuda::DeviceScope scope(device);
  const cuda::Stream stream(device);
  const int64_t n = shape.tuples, t0 = shape.first - 1;
  std::vector<int64_t> starts;
  for (int h = 0; h < past; ++h) starts.push_back(t0 - static_cast<int64_t>(h) * o.target_tau);
  starts.push_back(t0 + 1);
  for (int h = 0; h < source; ++h) starts.push_back(t0 + 1 - o.delay - static_cast<int64_t>(h) * o.source_tau);
  const auto device_starts = cuda::Buffer<int64_t>::from_host(starts.data(), starts.size(), stream);
  const int32_t targets = to - from;
  cuda::Buffer<double> raw(static_cast<size_t>(variables) * samples, stream);
  staging::upload(raw.data(), values, raw.size() * sizeof(double), stream);
  cuda::Buffer<double> target_units(static_cast<size_t>(targets) * wide * n, stream), source_units(static_cast<size_t>(variables) * source * n, stream);
  cuda::Buffer<double> target_own(static_cast<size_t>(targets) * wide * wide, stream), source_own(static_cast<size_t>(variables) * source * source, stream);
  cuda::Buffer<double> cross(static_cast<size_t>(targets) * wide * variables * source, stream), out(static_cast<size_t>(targets) * variables, stream);
  unit_kernel<<<dim3(targets, wide), kUnitThreads, 0, stream>>>(raw.data() + from * samples, samples, n, device_starts.data(), wide, target_units.data());
  unit_kernel<<<dim3(variables, source), kUnitThreads, 0, stream>>>(raw.data(), samples, n, device_starts.data() + wide, source, source_units.data());
  XC_CUDA_LAUNCHED("unit_kernel");
  own_kernel<<<targets, dim3(32, wide * wide), 0, stream>>>(target_units.data(), wide, n, target_own.data());
  own_kernel<<<variables, dim3(32, source * source), 0, stream>>>(source_units.data(), source, n, source_own.data());
  XC_CUDA_LAUNCHED("own_kernel");
  const int64_t rows = static_cast<int64_t>(targets) * wide, columns = static_cast<int64_t>(variables) * source;
  product_kernel<<<dim3(static_cast<unsigned>((columns + kTile - 1) / kTile), static_cast<unsigned>((rows + kTile - 1) / kTile)), 256, 0, stream>>>(
      target_units.data(), source_units.data(), rows, columns, n, cross.data());
  XC_CUDA_LAUNCHED("product_kernel");
  pair_kernel<<<dim3((variables + 127) / 128, targets), 128, 0, stream>>>(target_own.data(), source_own.data(), cross.data(), variables, from, past,
                                                                          source, out.data());
  XC_CUDA_LAUNCHED("pair_kernel");
  staging::download(te, out.data(), out.size() * sizeof(double), stream);
  control.throw_if_cancelled();
}

}  // namespace xcore::te
