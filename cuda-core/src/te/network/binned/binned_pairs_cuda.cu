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

}  // namespace

void binned_pairs_cuda(int device, const BinnedColumns& c, int32_t from, int32_t to, double* te, const Control& control) {
  const cuda::DeviceScope scope(device);
  const cuda::Stream stream(device);
  int limit = 0;
  XC_CUDA(cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  const int64_t states = static_cast<int64_t>(c.bins) * c.past_states * c.source_states;
  if (states * 4 > limit || c.source_states > 65535)
    throw error(XC_UNSUPPORTED, "bins", -1, "a table of %lld states does not fit a multiprocessor (%d bytes). Use the CPU.",
                static_cast<long long>(states), limit);
  const int warps = static_cast<int>(std::clamp<int64_t>((limit / 4 - 1024) / (states * 4), 1, 8));
  const int64_t padded = (c.n + 3) / 4 * 4;
  const int32_t targets = to - from;
  std::vector<double> logs(c.n + 1, 0.0), part(targets);
  for (int64_t m = 2; m <= c.n; ++m) logs[m] = static_cast<double>(m) * std::log(static_cast<double>(m));
  std::vector<uint32_t> target(static_cast<size_t>(targets) * padded);
  std::vector<uint16_t> source(static_cast<size_t>(c.variables) * padded);
  thread_pool().parallel_for(c.variables, 8, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> joint(static_cast<size_t>(c.bins) * c.past_states), alone(c.past_states);
    for (int64_t v = begin; v < end; ++v) {
      for (int64_t t = 0; t < c.n; ++t) source[v * padded + t] = static_cast<uint16_t>(c.source[v * c.n + t]);
      if (v < from || v >= to) continue;
      std::fill(joint.begin(), joint.end(), 0);
      std::fill(alone.begin(), alone.end(), 0);
      for (int64_t t = 0; t < c.n; ++t) {
        const uint32_t code = c.target[v * c.n + t];
        ++joint[code], ++alone[code % c.past_states];
        target[(v - from) * padded + t] = code * c.source_states;
      }
      double sum = 0;
      for (const uint32_t m : alone) sum += logs[m];
      for (const uint32_t m : joint) sum -= logs[m];
      part[v - from] = sum;
    }
  });
  cuda::Buffer<uint32_t> device_target(target.size(), stream);
  cuda::Buffer<uint16_t> device_source(source.size(), stream);
  staging::upload(device_target.data(), target.data(), target.size() * 4, stream);
  staging::upload(device_source.data(), source.data(), source.size() * 2, stream);
  const auto device_part = cuda::Buffer<double>::from_host(part.data(), part.size(), stream);
  const auto device_logs = cuda::Buffer<double>::from_host(logs.data(), logs.size(), stream);
  cuda::Buffer<double> out(static_cast<size_t>(targets) * c.variables, stream);
  const int sources_per_block = std::max(warps, 128);
  const size_t shared = static_cast<size_t>(warps) * states * 4;
  if (shared > 48 * 1024) XC_CUDA(cudaFuncSetAttribute(binned_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  // Launches of some 50 ms at most, so that cancelling takes effect.
  const int32_t step = static_cast<int32_t>(std::clamp<int64_t>(int64_t{20000000000} / (c.n * c.variables), 1, 65535));
  for (int32_t begin = 0; begin < targets; begin += step) {
    control.throw_if_cancelled();
    const int32_t many = std::min(step, targets - begin);
    const Args a{device_target.data() + begin * padded, device_source.data(), device_part.data() + begin, device_logs.data(),
                 out.data() + static_cast<int64_t>(begin) * c.variables, c.n, padded, c.variables, from + begin, static_cast<int>(c.bins),
                 static_cast<int>(c.past_states), static_cast<int>(c.source_states), sources_per_block};
    binned_kernel<<<dim3((c.variables + sources_per_block - 1) / sources_per_block, many), warps * 32, shared, stream>>>(a);
    XC_CUDA_LAUNCHED("binned_kernel");
    if (step < targets) stream.synchronize();
  }
  staging::download(te, out.data(), out.size() * sizeof(double), stream);
}

}  // namespace xcore::te
