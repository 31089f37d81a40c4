// Brute force: a thread a tuple, neighbours in tiles of shared memory, blocks along y are permutations.
#include <algorithm>
#include <vector>

#include "runtime/cuda.hpp"
#include "te/kernel/kernel.hpp"
#include "te/ksg/ksg.hpp"

namespace xcore::te {
namespace {

constexpr int kThreads = 128;

struct Args {
  const double* columns;  // P, F, S: column-major, n rows
  const double* widths;   // of each column
  const int32_t* permutations;
  const int32_t* time;
  KernelCounts* out;
  int64_t n, begin, end;
  int past_dims, future_dims, dims, theiler;
};

__global__ void __launch_bounds__(kThreads) kernel_kernel(Args a) {
  extern __shared__ double shared[];  // tile[dims][kThreads], own[dims][kThreads]
  double* tile = shared;
  double* own = shared + static_cast<size_t>(a.dims) * kThreads;
  const int64_t i = a.begin + static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const bool active = i < a.end;
  const int32_t* permutation = a.permutations ? a.permutations + static_cast<int64_t>(blockIdx.y) * a.n : nullptr;
  const int plain = a.past_dims + a.future_dims;
  for (int c = 0; c < a.dims; ++c)
    own[c * kThreads + threadIdx.x] = active ? a.columns[c * a.n + (c >= plain && permutation ? permutation[i] : i)] : 0;
  const int64_t now = active && a.time ? a.time[i] : i;
  const auto near = [&](int from, int to, int j) {
    for (int c = from; c < to; ++c)
      if (!(fabs(tile[c * kThreads + j] - own[c * kThreads + threadIdx.x]) <= a.widths[c])) return false;
    return true;
  };
  KernelCounts counts{0, 0, 0, 0};
  for (int64_t start = 0; start < a.n; start += kThreads) {
    __syncthreads();
    const int64_t row = start + threadIdx.x;
    if (row < a.n)
      for (int c = 0; c < a.dims; ++c)
        tile[c * kThreads + threadIdx.x] = a.columns[c * a.n + (c >= plain && permutation ? permutation[row] : row)];
    __syncthreads();
    const int count = static_cast<int>(min(static_cast<int64_t>(kThreads), a.n - start));
    for (int j = 0; active && j < count; ++j) {
      if (!near(0, a.past_dims, j)) continue;
      if (a.theiler > 0 && start + j != i) {
        const int64_t then = a.time ? a.time[start + j] : start + j;
        if ((then > now ? then - now : now - then) <= a.theiler) continue;
      }
      const bool f = near(a.past_dims, plain, j), s = near(plain, a.dims, j);
      ++counts.past, counts.future_past += f, counts.source_past += s, counts.all += f && s;
    }
  }
  if (active) a.out[static_cast<int64_t>(blockIdx.y) * (a.end - a.begin) + (i - a.begin)] = counts;
}

}  // namespace

void kernel_counts_cuda(int device, const KernelProblem& p, const int32_t* permutations, int64_t count, KernelCounts* out,
                        const Control& control) {
  const int past = static_cast<int>(p.past.size()), future = static_cast<int>(p.future.size());
  const int dims = past + future + static_cast<int>(p.source.size());
  if (dims > kKsgCudaMaxDims)
    throw error(XC_UNSUPPORTED, "dimensions", -1, "on CUDA the embedded columns are at most %d; here they are %d. Use the CPU.",
                kKsgCudaMaxDims, dims);
  const cuda::DeviceScope scope(device);
  const cuda::Stream stream(device);
  std::vector<double> host, widths;
  const auto take = [&](const std::vector<const double*>& columns, const std::vector<double>& own) {
    for (const double* c : columns) host.insert(host.end(), c, c + p.n);
    widths.insert(widths.end(), own.begin(), own.end());
  };
  take(p.past, p.past_width);
  take(p.future, p.future_width);
  take(p.source, p.source_width);
  const auto columns = cuda::Buffer<double>::from_host(host.data(), host.size(), stream);
  const auto width = cuda::Buffer<double>::from_host(widths.data(), widths.size(), stream);
  cuda::Buffer<int32_t> time(p.time ? static_cast<size_t>(p.n) : 1, stream);
  if (p.time) time.upload(p.time, static_cast<size_t>(p.n));
  // As in ksg_cuda.cu: launches of some tens of milliseconds.
  const int64_t tuples = std::min(p.n, std::max<int64_t>(kThreads, int64_t{4000000000} / p.n));
  int64_t batch = std::max<int64_t>(1, std::min(int64_t{4000000000} / (tuples * p.n), int64_t{5000000} / p.n));
  batch = std::min<int64_t>({batch, count, 65535});
  cuda::Buffer<int32_t> rows(permutations ? static_cast<size_t>(batch) * p.n : 1, stream);
  cuda::Buffer<KernelCounts> counts(static_cast<size_t>(batch) * tuples, stream);
  std::vector<KernelCounts> part(static_cast<size_t>(batch) * tuples);
  const size_t bytes = static_cast<size_t>(dims) * 2 * kThreads * sizeof(double);
  if (bytes > 48 * 1024)
    XC_CUDA(cudaFuncSetAttribute(kernel_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
  for (int64_t first = 0; first < count; first += batch) {
    const int64_t many = std::min(batch, count - first);
    if (permutations) rows.upload(permutations + first * p.n, static_cast<size_t>(many) * p.n);
    for (int64_t begin = 0; begin < p.n; begin += tuples) {
      control.throw_if_cancelled();
      const int64_t end = std::min(p.n, begin + tuples);
      const dim3 grid(static_cast<unsigned>((end - begin + kThreads - 1) / kThreads), static_cast<unsigned>(many));
      kernel_kernel<<<grid, kThreads, bytes, stream>>>({columns.data(), width.data(), permutations ? rows.data() : nullptr,
                                                         p.time ? time.data() : nullptr, counts.data(), p.n, begin, end, past, future,
                                                         dims, p.theiler});
      XC_CUDA_LAUNCHED("kernel_kernel");
      counts.download(part.data(), static_cast<size_t>(many) * (end - begin));
      stream.synchronize();
      for (int64_t m = 0; m < many; ++m)
        std::copy_n(part.data() + m * (end - begin), end - begin, out + (first + m) * p.n + begin);
    }
  }
}

}  // namespace xcore::te
