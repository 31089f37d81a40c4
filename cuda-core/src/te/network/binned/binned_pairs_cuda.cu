// One warp a pair: counts by atomics in shared memory, n of them instead of the n B^3 products of a one-hot matrix product, then
// the entropies from a table of c ln c.
#include <algorithm>
#include <cmath>

#include "runtime/cuda.hpp"
#include "runtime/thread_pool.hpp"
#include "te/network/binned/binned_pairs.hpp"
#include "te/network/staging/staging.hpp"

namespace xcore::te {
namespace {

struct Args {
  const uint32_t* target;    // [target][padded]: (f * past_states + p) * source_states
  const uint16_t* source;    // [variable][padded]
  const double* target_part; // [target]: sum c(p) ln c(p) - sum c(f,p) ln c(f,p)
  const double* log_table;   // c ln c
  double* te;                // [target][variable]
  int64_t n, padded;         // padded: to a multiple of 4
  int variables, from, bins, past_states, source_states, sources_per_block;
};

__global__ void binned_kernel(Args a) {
  extern __shared__ uint32_t shared[];
  const int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int states = a.bins * a.past_states * a.source_states, joint = a.past_states * a.source_states;
  uint32_t* counts = shared + warp * states;
  const int target = blockIdx.y;
  const uint4* codes = reinterpret_cast<const uint4*>(a.target + target * a.padded);
  const int begin = blockIdx.x * a.sources_per_block, end = min(begin + a.sources_per_block, a.variables);
  const int groups = static_cast<int>(a.n / 4);
  for (int x = begin + warp; x < end; x += warps) {
    for (int m = lane; m < states; m += 32) counts[m] = 0;
    __syncwarp();
    const ushort4* source = reinterpret_cast<const ushort4*>(a.source + x * a.padded);
    for (int g = lane; g < groups; g += 32) {
      const uint4 y = __ldg(codes + g);
      const ushort4 s = __ldg(source + g);
      atomicAdd(counts + y.x + s.x, 1u);
      atomicAdd(counts + y.y + s.y, 1u);
      atomicAdd(counts + y.z + s.z, 1u);
      atomicAdd(counts + y.w + s.w, 1u);
    }
    for (int64_t t = 4 * static_cast<int64_t>(groups) + lane; t < a.n; t += 32)
      atomicAdd(counts + a.target[target * a.padded + t] + a.source[x * a.padded + t], 1u);
    __syncwarp();
    double sum = 0;
    for (int m = lane; m < joint; m += 32) {
      uint32_t total = 0;
      for (int f = 0; f < a.bins; ++f) {
        const uint32_t c = counts[f * joint + m];
        total += c;
        sum += a.log_table[c];
      }
      sum -= a.log_table[total];
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (lane == 0)
      a.te[static_cast<int64_t>(target) * a.variables + x] =
          x == a.from + target ? 0.0 : (sum + a.target_part[target]) / static_cast<double>(a.n);
    __syncwarp();
  }
}

constexpr int kCodeThreads = 256;

// bins[variable][t], by equal width. One block of threads a variable.
__global__ void __launch_bounds__(kCodeThreads) width_kernel(const double* values, int64_t samples, int bins, uint8_t* out) {
  __shared__ double lows[kCodeThreads], highs[kCodeThreads];
  const double* x = values + blockIdx.x * samples;
  double low = x[0], high = x[0];
  for (int64_t t = threadIdx.x; t < samples; t += kCodeThreads) low = fmin(low, x[t]), high = fmax(high, x[t]);
  lows[threadIdx.x] = low, highs[threadIdx.x] = high;
  for (int half = kCodeThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      lows[threadIdx.x] = fmin(lows[threadIdx.x], lows[threadIdx.x + half]);
      highs[threadIdx.x] = fmax(highs[threadIdx.x], highs[threadIdx.x + half]);
    }
  }
  __syncthreads();
  const double least = lows[0], width = (highs[0] - least) / bins;
  for (int64_t t = threadIdx.x; t < samples; t += kCodeThreads)
    out[blockIdx.x * samples + t] = static_cast<uint8_t>(width > 0 && isfinite(width) ? fmin(floor((x[t] - least) / width), bins - 1.0) : 0.0);
}

// By equal frequency: the series is sorted in shared memory (padded to a power of two), the cuts are read off.
__global__ void __launch_bounds__(kCodeThreads) frequency_kernel(const double* values, int samples, int padded, int bins, uint8_t* out) {
  extern __shared__ double sorted[];
  __shared__ double cuts[kMaxBins];
  const double* x = values + static_cast<int64_t>(blockIdx.x) * samples;
  for (int m = threadIdx.x; m < padded; m += kCodeThreads) sorted[m] = m < samples ? x[m] : HUGE_VAL;
  for (int k = 2; k <= padded; k *= 2) {
    for (int j = k / 2; j > 0; j /= 2) {
      __syncthreads();
      for (int m = threadIdx.x; m < padded / 2; m += kCodeThreads) {
        const int low = 2 * m - (m & (j - 1)), high = low + j;
        const double a = sorted[low], b = sorted[high];
        if ((b < a) == ((low & k) == 0)) sorted[low] = b, sorted[high] = a;
      }
    }
  }
  __syncthreads();
  if (threadIdx.x < bins) cuts[threadIdx.x] = sorted[max(static_cast<int>((threadIdx.x + 1ll) * samples / bins), 1) - 1];
  __syncthreads();
  for (int t = threadIdx.x; t < samples; t += kCodeThreads) {
    int bin = 0;
    while (bin < bins - 1 && cuts[bin] < x[t]) ++bin;
    out[static_cast<int64_t>(blockIdx.x) * samples + t] = static_cast<uint8_t>(bin);
  }
}

struct StateArgs {
  const uint8_t* bin;
  const double* log_table;
  uint32_t* target;
  uint16_t* source;
  double* target_part;
  int64_t samples, n, padded, before;  // before: index of the newest P of the first tuple
  int from, to, bins, past_states, source_states, target_history, target_tau, source_history, source_tau, delay;
};

// The states of one variable, and its own entropies when it is a target. Shared: counts of (f, p).
__global__ void __launch_bounds__(kCodeThreads) state_kernel(StateArgs a) {
  extern __shared__ uint32_t shared[];
  __shared__ double sums[kCodeThreads];
  const int variable = blockIdx.x, states = a.bins * a.past_states;
  const bool is_target = variable >= a.from && variable < a.to;
  const uint8_t* bin = a.bin + variable * a.samples;
  for (int m = threadIdx.x; m < states; m += kCodeThreads) shared[m] = 0;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < a.n; i += kCodeThreads) {
    const int64_t t = a.before + i;
    uint32_t s = 0;
    for (int h = 0; h < a.source_history; ++h) s = s * a.bins + bin[t + 1 - a.delay - static_cast<int64_t>(h) * a.source_tau];
    a.source[variable * a.padded + i] = static_cast<uint16_t>(s);
    if (!is_target) continue;
    uint32_t p = 0;
    for (int h = 0; h < a.target_history; ++h) p = p * a.bins + bin[t - static_cast<int64_t>(h) * a.target_tau];
    p += bin[t + 1] * a.past_states;
    atomicAdd(shared + p, 1u);
    a.target[(variable - a.from) * a.padded + i] = p * a.source_states;
  }
  __syncthreads();
  if (!is_target) return;
  double sum = 0;
  for (int p = threadIdx.x; p < a.past_states; p += kCodeThreads) {
    uint32_t total = 0;
    for (int f = 0; f < a.bins; ++f) {
      const uint32_t c = shared[f * a.past_states + p];
      total += c;
      sum -= a.log_table[c];
    }
    sum += a.log_table[total];
  }
  sums[threadIdx.x] = sum;
  for (int half = kCodeThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) a.target_part[variable - a.from] = sums[0];
}

template <class Kernel>
void allow_shared(Kernel kernel, size_t bytes) {
  if (bytes > 48 * 1024)
    XC_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
}

}  // namespace

void binned_pairs_cuda(int device, const double* values, int32_t variables, int64_t samples, const xc_te_options& o, int32_t bins,
                       bool equal_frequency, int32_t from, int32_t to, double* te, const Control& control) {
  const BinnedShape shape = binned_shape(samples, o, bins);
  const cuda::DeviceScope scope(device);
  const cuda::Stream stream(device);
  int attribute = 0;
  XC_CUDA(cudaDeviceGetAttribute(&attribute, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  const int64_t limit = attribute - 4096;  // some is declared statically
  const int64_t states = static_cast<int64_t>(bins) * shape.past_states * shape.source_states;
  if (states * 4 > limit || shape.source_states > 65535)
    throw error(XC_UNSUPPORTED, "bins", -1, "a table of %lld states does not fit a multiprocessor (%lld bytes). Use the CPU.",
                static_cast<long long>(states), static_cast<long long>(limit));
  const int warps = static_cast<int>(std::clamp<int64_t>(limit / 4 / (states * 4), 1, 8));
  const int64_t n = shape.n, padded = (n + 3) / 4 * 4;
  const int32_t targets = to - from;
  std::vector<double> logs(n + 1, 0.0);
  for (int64_t m = 2; m <= n; ++m) logs[m] = static_cast<double>(m) * std::log(static_cast<double>(m));
  const auto device_logs = cuda::Buffer<double>::from_host(logs.data(), logs.size(), stream);
  cuda::Buffer<uint8_t> bin(static_cast<size_t>(variables) * samples, stream);
  int64_t sorted = 2;
  while (sorted < samples) sorted *= 2;
  if (equal_frequency && sorted * 8 > limit) {
    std::vector<uint8_t> host(bin.size());
    thread_pool().parallel_for(variables, 1, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) bin_series(values + v * samples, samples, bins, true, host.data() + v * samples);
    });
    staging::upload(bin.data(), host.data(), host.size(), stream);
  } else {
    cuda::Buffer<double> raw(static_cast<size_t>(variables) * samples, stream);
    staging::upload(raw.data(), values, raw.size() * sizeof(double), stream);
    if (equal_frequency) {
      allow_shared(frequency_kernel, sorted * 8);
      frequency_kernel<<<variables, kCodeThreads, sorted * 8, stream>>>(raw.data(), static_cast<int>(samples), static_cast<int>(sorted), bins, bin.data());
    } else {
      width_kernel<<<variables, kCodeThreads, 0, stream>>>(raw.data(), samples, bins, bin.data());
    }
    XC_CUDA_LAUNCHED("binning kernel");
  }
  cuda::Buffer<uint32_t> target(static_cast<size_t>(targets) * padded, stream);
  cuda::Buffer<uint16_t> source(static_cast<size_t>(variables) * padded, stream);
  cuda::Buffer<double> part(targets, stream), out(static_cast<size_t>(targets) * variables, stream);
  const size_t own = static_cast<size_t>(bins) * shape.past_states * 4;
  allow_shared(state_kernel, own);
  state_kernel<<<variables, kCodeThreads, own, stream>>>({bin.data(), device_logs.data(), target.data(), source.data(), part.data(), samples, n, padded,
                                                          shape.first - 1, from, to, bins, static_cast<int>(shape.past_states),
                                                          static_cast<int>(shape.source_states), o.target_history, o.target_tau, o.source_history,
                                                          o.source_tau, o.delay});
  XC_CUDA_LAUNCHED("state_kernel");
  const int sources_per_block = std::max(warps, 128);
  const size_t shared = static_cast<size_t>(warps) * states * 4;
  allow_shared(binned_kernel, shared);
  // Launches of some 50 ms at most, so that cancelling takes effect.
  const int32_t step = static_cast<int32_t>(std::clamp<int64_t>(int64_t{20000000000} / (n * variables), 1, 65535));
  for (int32_t begin = 0; begin < targets; begin += step) {
    control.throw_if_cancelled();
    const int32_t many = std::min(step, targets - begin);
    const Args a{target.data() + begin * padded, source.data(), part.data() + begin, device_logs.data(),
                 out.data() + static_cast<int64_t>(begin) * variables, n, padded, variables, from + begin, bins,
                 static_cast<int>(shape.past_states), static_cast<int>(shape.source_states), sources_per_block};
    binned_kernel<<<dim3((variables + sources_per_block - 1) / sources_per_block, many), warps * 32, shared, stream>>>(a);
    XC_CUDA_LAUNCHED("binned_kernel");
    if (step < targets) stream.synchronize();
  }
  staging::download(te, out.data(), out.size() * sizeof(double), stream);
}

}  // namespace xcore::te
