#include "thermo/ising/bitsliced/bitsliced_cuda.hpp"

#include <algorithm>

#include "thermo/ising/bitsliced/bitsliced_cuda.cuh"

namespace xcore::thermo::ising {

namespace {

// See bitsliced_kernel.hpp. The masks are 0 or all ones, the same for all threads; the first `skipped` groups of four are 0.
__device__ __forceinline__ uint32_t bernoulli(MultiplyWithCarry& draws, const uint4* masks, int skipped) {
  uint32_t bits = 0;
#pragma unroll
  for (int b = 0; b < kSweepDigits / 4; ++b) {
    if (b < skipped) continue;
    const uint4 m = masks[b];
    bits = majority(bits, draws.next(), m.x);
    bits = majority(bits, draws.next(), m.y);
    bits = majority(bits, draws.next(), m.z);
    bits = majority(bits, draws.next(), m.w);
  }
  return bits;
}

struct SweepHeader {
  int32_t planes, skipped;
  bool any_odd, any_overflow;
};

// Group: ushort4 where the spins of a block stand in shared memory, else int4.
template <int planes, class Group>
__global__ void __launch_bounds__(kSweepThreads, 1)
    sweep_kernel(uint32_t* __restrict__ rows, GraphView<Group> graph, const DeviceSweep* __restrict__ schedules, int length,
                 int first, int last, const int32_t* __restrict__ fresh, uint2* __restrict__ random) {
  constexpr bool in_shared = GraphView<Group>::in_shared;
  const int32_t n = graph.n, turned_offset = graph.turned_offset;
  const int words = graph.words;
  const int64_t row_words = graph.row_words;
  extern __shared__ uint32_t shared_rows[];
  __shared__ uint4 masks[2][DeviceSweep::kProbabilities * kSweepDigits / 4];
  __shared__ SweepHeader headers[2];
  const int word = threadIdx.x % words, slot = threadIdx.x / words, slots = blockDim.x / words;
  uint32_t* const mine = rows + static_cast<int64_t>(blockIdx.x) * words;  // this block's words of row 0
  const bool is_fresh = fresh[blockIdx.x] != 0;
  const uint2 seed = random[blockIdx.x * blockDim.x + threadIdx.x];
  MultiplyWithCarry draws{seed.x, seed.y};

  // The ghost row n is all ones. In global memory a block's row keeps the stride of all blocks.
  uint32_t* const state = in_shared ? shared_rows + word : mine + word;
  const int64_t stride = in_shared ? words : row_words;
  for (int32_t i = slot; i <= n; i += slots) {
    uint32_t value = ~0u;
    if (i < n) value = is_fresh && first == 0 ? draws.next() : mine[i * row_words + word];
    state[i * stride] = value;
    if (in_shared && turned_offset != 0) state[i * stride + turned_offset] = ~value;
  }
  // The masks of a sweep are written while the sweep before runs, from probabilities read one sweep earlier still, so that
  // they cost no barrier and no wait.
  const DeviceSweep* const schedule = schedules + (is_fresh ? length : 0);
  constexpr int kMasks = DeviceSweep::kProbabilities * kSweepDigits;
  const int plane = threadIdx.x / kSweepDigits, bit = 32 - kSweepDigits + threadIdx.x % kSweepDigits;
  const auto probability = [&](int sweep) {
    return threadIdx.x < kMasks && sweep < last ? __ldg(schedule[sweep].probability + plane) : 0;
  };
  const auto prepare = [&](int sweep, uint32_t p) {
    if (threadIdx.x < kMasks) reinterpret_cast<uint32_t*>(masks[sweep & 1])[threadIdx.x] = 0u - (p >> bit & 1u);
    if (threadIdx.x == blockDim.x - 1 && sweep < last) {
      const DeviceSweep& s = schedule[sweep];
      headers[sweep & 1] = {s.planes, s.skipped, s.probability[DeviceSweep::kOdd] != 0,
                            s.probability[DeviceSweep::kOverflow] != 0};
    }
  };
  prepare(first, probability(first));
  uint32_t upcoming = probability(first + 1);
  __syncthreads();
  for (int sweep = first; sweep < last; ++sweep) {
    const SweepHeader now = headers[sweep & 1];
    const uint4* const mask = masks[sweep & 1];
    prepare(sweep + 1, upcoming);
    upcoming = probability(sweep + 2);
    for (int colour = 0; colour < graph.colours; ++colour) {
      const int end = __ldg(graph.colour_starts + colour + 1);
      for (int at = __ldg(graph.colour_starts + colour) + slot; at < end; at += slots) {
        const int4 spin = __ldg(graph.spins + at);
        if (spin.x < 0) continue;  // fills up a slice
        const uint32_t weight = static_cast<uint32_t>(spin.w) >> 8, half = weight / 2;
        const int used = 32 - __clz(weight | 1);  // planes that A can reach
        const uint32_t self = state[spin.x];
        uint32_t sum[planes] = {};
        const Group* group = graph.groups + spin.y;
        add_levels<planes, 0>(sum, state, group, spin.z, spin.w & 255, self);
        uint32_t carry = 0, accepted = ~0u;
        if ((weight & 1) && now.any_odd)
          carry = bernoulli(draws, mask + DeviceSweep::kOdd * (kSweepDigits / 4), now.skipped);
#pragma unroll
        for (int j = 0; j < planes; ++j) {
          if (j >= used && j >= now.planes) break;
          const uint32_t g = j < now.planes ? bernoulli(draws, mask + j * (kSweepDigits / 4), now.skipped) : 0;
          const uint32_t one = 0u - (half >> j & 1u);
          const uint32_t limit = g ^ carry ^ one;
          carry = majority(g, carry, one);
          accepted = (~sum[j] & limit) | (~(sum[j] ^ limit) & accepted);
        }
        // Digits of G beyond those of A accept by themselves.
        for (int j = planes; j < now.planes; ++j) accepted |= bernoulli(draws, mask + j * (kSweepDigits / 4), now.skipped);
        accepted |= carry;
        if (now.any_overflow)
          accepted |= bernoulli(draws, mask + DeviceSweep::kOverflow * (kSweepDigits / 4), now.skipped);
        state[spin.x] = self ^ accepted;
        if (in_shared && turned_offset != 0) state[spin.x + turned_offset] = ~(self ^ accepted);
      }
      __syncthreads();
    }
  }
  if (in_shared)
    for (int32_t i = slot; i < n; i += slots) mine[i * row_words + word] = state[i * stride];
  random[blockIdx.x * blockDim.x + threadIdx.x] = make_uint2(draws.x, draws.carry);
}

}  // namespace

DeviceSweep device_sweep(double beta_unit, uint32_t largest_weight, int digits) {
  const AcceptancePlanes a = acceptance_planes(beta_unit, largest_weight, digits);
  DeviceSweep out{};
  out.planes = a.planes;
  out.skipped = (kSweepDigits - digits) / 4;
  std::copy(a.digit, a.digit + a.planes, out.probability);
  out.probability[DeviceSweep::kOdd] = a.odd;
  out.probability[DeviceSweep::kOverflow] = a.overflow;
  return out;
}

DeviceBitsliced::DeviceBitsliced(const IntegerModel& model, const BitslicedProgram& program, int blocks, int words,
                                 uint64_t seed, const cuda::Stream& stream)
    : stream_(stream), graph_(model, program, {blocks, words}, stream),
      random_(static_cast<size_t>(blocks) * kSweepThreads, stream) {
  seed_threads(seed, random_, stream);
}

template <int planes>
void DeviceBitsliced::launch(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last,
                             const int32_t* fresh) {
  const auto run = [&](auto kernel, const auto* groups) {
    XC_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(graph_.shared_bytes())));
    kernel<<<graph_.blocks(), kSweepThreads, graph_.shared_bytes(), stream_.get()>>>(rows, graph_.view(groups), schedules, length, first,
                                                                             last, fresh, random_.data());
    XC_CUDA_LAUNCHED("thermo.bitsliced_sweep");
  };
  if (graph_.in_shared()) {
    run(sweep_kernel<planes, ushort4>, graph_.near_groups());
  } else {
    run(sweep_kernel<planes, int4>, graph_.far_groups());
  }
}

void DeviceBitsliced::sweep(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last,
                            const int32_t* fresh) {
  graph_.with_planes([&](auto planes) { launch<planes>(rows, schedules, length, first, last, fresh); });
}

}  // namespace xcore::thermo::ising
