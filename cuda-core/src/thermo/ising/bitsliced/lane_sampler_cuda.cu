#include <algorithm>

#include "thermo/ising/bitsliced/bitsliced_cuda.cuh"
#include "thermo/ising/bitsliced/lane_sampler_cuda.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr unsigned kAll = 0xFFFFFFFFu;
constexpr int kDigits = 32;
constexpr int kHeld = 127;       // numbers that a thread adds up before they go to the lanes' sums
constexpr int kHeldPlanes = 7;   // what that adds to the planes of a number
constexpr int kWarpPlanes = 5;   // and what adding up the threads of a warp adds
constexpr int kTotals = 3;

struct Probabilities {
  const uint32_t* table;
  const uint8_t* hot;
  int count;
};

// Bits that are 1 with the probabilities in `masks`, one a lane, as 32 binary digits from the first; four digits of a word stand
// together and those of the other words in between. A random fraction is compared with the probability until the first digit in
// which they differ.
__device__ __forceinline__ uint32_t below(MultiplyWithCarry& draws, const uint4* masks, int words) {
  uint32_t yes = 0, open = kAll;
  const auto digit = [&](uint32_t mask) {
    const uint32_t random = draws.next();
    yes |= open & mask & ~random;
    open &= ~(random ^ mask);
  };
#pragma unroll 1
  for (int k = 0; k < kDigits / 4 && open != 0; ++k, masks += words) {
    const uint4 m = *masks;
    digit(m.x);
    digit(m.y);
    digit(m.z);
    digit(m.w);
  }
  return yes;
}

// sum += number.
template <int planes, int digits>
__device__ __forceinline__ void add_number(uint32_t (&sum)[planes], const uint32_t (&number)[digits]) {
  uint32_t carry = 0;
#pragma unroll
  for (int j = 0; j < digits; ++j) {
    const uint32_t next = majority(sum[j], number[j], carry);
    sum[j] ^= number[j] ^ carry;
    carry = next;
  }
  ripple<planes, digits>(sum, carry);
}

// Adds the sums of the threads of a warp that share a word to `out` [words x 32], and clears them.
template <int planes>
__device__ __forceinline__ void release(uint32_t (&sum)[planes], int words, int* out) {
  for (int distance = words; distance < 32; distance *= 2) {
    uint32_t other[planes];
#pragma unroll
    for (int j = 0; j < planes; ++j) other[j] = __shfl_xor_sync(kAll, sum[j], distance);
    add_number(sum, other);
  }
  const int thread = threadIdx.x & 31, word = thread % words, sharers = 32 / words;
  for (int lane = thread / words; lane < 32; lane += sharers) {
    int value = 0;
#pragma unroll
    for (int j = 0; j < planes; ++j) value |= static_cast<int>(sum[j] >> lane & 1u) << j;
    atomicAdd(out + 32 * word + lane, value);
  }
#pragma unroll
  for (int j = 0; j < planes; ++j) sum[j] = 0;
}

template <int planes, class Group>
__global__ void __launch_bounds__(kSweepThreads, 1)
    lane_sweep_kernel(GraphView<Group> graph, DeviceLaneSampler::Lanes lanes, Probabilities probabilities, int sweeps, bool finish,
                      uint2* __restrict__ random) {
  constexpr bool in_shared = GraphView<Group>::in_shared;
  extern __shared__ uint4 masks[];  // [probabilities x kDigits / 4 x words], then the spins
  __shared__ int planes_used, any_odd, any_overflow;
  __shared__ uint32_t hot_lanes[kLaneWords];
  __shared__ int sums[kTotals][kLanes];
  const int words = graph.words, word = threadIdx.x % words, slot = threadIdx.x / words, slots = blockDim.x / words;
  const int64_t row_words = graph.row_words, first_word = static_cast<int64_t>(blockIdx.x) * words;
  const int32_t n = graph.n, turned_offset = graph.turned_offset;
  uint32_t* const mine = lanes.rows + first_word + word;
  uint32_t* const before = lanes.before + first_word + word;
  const uint2 seed = random[blockIdx.x * blockDim.x + threadIdx.x];
  MultiplyWithCarry draws{seed.x, seed.y};

  uint32_t* const state =
      in_shared ? reinterpret_cast<uint32_t*>(masks + probabilities.count * (kDigits / 4) * words) + word : mine;
  const int64_t stride = in_shared ? words : row_words;
  const auto put = [&](int64_t at, uint32_t value) {
    state[at] = value;
    if (in_shared && turned_offset != 0) state[at + turned_offset] = ~value;
  };
  for (int32_t i = slot; i <= n; i += slots) put(i * stride, i < n ? mine[i * row_words] : kAll);
  if (threadIdx.x == 0) planes_used = any_odd = any_overflow = 0;
  for (int k = threadIdx.x; k < kTotals * kLanes; k += blockDim.x) sums[0][k] = 0;
  __syncthreads();

  // A warp makes the masks of one probability of one word.
  const int odd = probabilities.count - 2, overflow = odd + 1, thread = threadIdx.x & 31;
  for (int task = threadIdx.x >> 5; task < probabilities.count * words; task += blockDim.x >> 5) {
    const int w = task % words, plane = task / words;
    const int64_t lane = 32 * (first_word + w) + thread;
    const int32_t s = lanes.slot[min(lane, lanes.count - 1)];
    const uint32_t p = probabilities.table[static_cast<int64_t>(s) * probabilities.count + plane];
    uint32_t mask = 0;
#pragma unroll
    for (int b = 0; b < kDigits; ++b) {
      const uint32_t digit = __ballot_sync(kAll, p >> (31 - b) & 1u);
      if (thread == b) mask = digit;
    }
    reinterpret_cast<uint32_t*>(masks)[((plane * (kDigits / 4) + thread / 4) * words + w) * 4 + thread % 4] = mask;
    const bool used = __any_sync(kAll, p != 0);
    const uint32_t hot = __ballot_sync(kAll, probabilities.hot[s] != 0);
    if (thread != 0) continue;
    if (plane == 0) hot_lanes[w] = hot;
    if (!used) continue;
    if (plane < odd) {
      atomicMax(&planes_used, plane + 1);
    } else {
      (plane == odd ? any_odd : any_overflow) = 1;
    }
  }
  __syncthreads();
  const int drawn = planes_used;
  const bool with_odd = any_odd != 0, with_overflow = any_overflow != 0;
  const auto bernoulli = [&](int plane) { return below(draws, masks + plane * (kDigits / 4) * words + word, words); };

  for (int sweep = 0; sweep < sweeps; ++sweep) {
    if (finish && sweep == sweeps - 1) {
      for (int32_t i = slot; i < n; i += slots) before[i * row_words] = state[i * stride];
      __syncthreads();
    }
    for (int colour = 0; colour < graph.colours; ++colour) {
      const int end = __ldg(graph.colour_starts + colour + 1);
      for (int at = __ldg(graph.colour_starts + colour) + slot; at < end; at += slots) {
        const int4 spin = __ldg(graph.spins + at);
        if (spin.x < 0) continue;  // fills up a slice
        const uint32_t weight = static_cast<uint32_t>(spin.w) >> 8, half = weight / 2;
        const int reached = 32 - __clz(weight | 1);  // planes that A can reach
        const uint32_t self = state[spin.x];
        uint32_t sum[planes] = {};
        const Group* group = graph.groups + spin.y;
        add_levels<planes, 0>(sum, state, group, spin.z, spin.w & 255, self);
        // A <= half + G / 2 (+ G mod 2), digit by digit: see bitsliced.hpp.
        uint32_t carry = 0, accepted = kAll;
        if ((weight & 1) && with_odd) carry = bernoulli(odd);
#pragma unroll
        for (int j = 0; j < planes; ++j) {
          if (j >= reached && j >= drawn) break;
          const uint32_t g = j < drawn ? bernoulli(j) : 0;
          const uint32_t one = 0u - (half >> j & 1u);
          const uint32_t limit = g ^ carry ^ one;
          carry = majority(g, carry, one);
          accepted = (~sum[j] & limit) | (~(sum[j] ^ limit) & accepted);
        }
        for (int j = planes; j < drawn; ++j) accepted |= bernoulli(j);  // beyond A's digits those of G accept by themselves
        accepted |= carry;
        if (with_overflow) accepted |= bernoulli(overflow);
        put(spin.x, self ^ accepted);
      }
      __syncthreads();
    }
  }

  if (finish) {
    const uint32_t hot = hot_lanes[word];
    if (hot != 0)
      for (int32_t i = slot; i < n; i += slots) {
        const uint32_t now = state[i * stride];
        put(i * stride, now ^ ((now ^ draws.next()) & hot));
      }
    __syncthreads();
    // All threads of a warp make the same turns: they add up their sums together.
    uint32_t satisfied[planes + 1 + kHeldPlanes + kWarpPlanes] = {};
    const int positions = __ldg(graph.colour_starts + graph.colours);
    for (int base = 0, held = 0; base < positions; base += slots) {
      const int at = base + slot;
      const int4 spin = at < positions ? __ldg(graph.spins + at) : make_int4(-1, 0, 0, 0);
      if (spin.x >= 0) {
        const uint32_t self = state[spin.x];
        uint32_t sum[planes] = {};
        const Group* group = graph.groups + spin.y;
        add_levels<planes, 0>(sum, state, group, spin.z, spin.w & 255, self);
        add_number(satisfied, sum);
        if (const int32_t field = __ldg(graph.fields + at)) {
#pragma unroll
          for (int j = 0; j < planes; ++j) sum[j] = (abs(field) >> j & 1) ? (field > 0 ? self : ~self) : 0u;
          add_number(satisfied, sum);
        }
      }
      if (++held < kHeld && base + slots < positions) continue;
      release(satisfied, words, sums[0]);
      held = 0;
    }
    uint32_t up[1 + kHeldPlanes + kWarpPlanes] = {}, changed[1 + kHeldPlanes + kWarpPlanes] = {};
    for (int32_t base = 0, held = 0; base < n; base += slots) {
      const int32_t i = base + slot;
      if (i < n) {
        const uint32_t self = state[i * stride];
        ripple<1 + kHeldPlanes + kWarpPlanes, 0>(up, self);
        if (sweeps > 0) ripple<1 + kHeldPlanes + kWarpPlanes, 0>(changed, self ^ before[i * row_words]);
      }
      if (++held < kHeld && base + slots < n) continue;
      release(up, words, sums[1]);
      release(changed, words, sums[2]);
      held = 0;
    }
    __syncthreads();
    for (int k = threadIdx.x; k < kTotals * 32 * words; k += blockDim.x) {
      const int total = k / (32 * words), lane = k % (32 * words);
      lanes.totals[32 * (total * row_words + first_word) + lane] = sums[total][lane];
    }
  }
  if (in_shared)
    for (int32_t i = slot; i < n; i += slots) mine[i * row_words] = state[i * stride];
  random[blockIdx.x * blockDim.x + threadIdx.x] = make_uint2(draws.x, draws.carry);
}

}  // namespace

DeviceLaneSampler::DeviceLaneSampler(const IntegerModel& model, const BitslicedProgram& program, int64_t replica_words,
                                     uint64_t seed, const cuda::Stream& stream)
    : stream_(stream), unit_(program.unit), largest_weight_(program.largest_weight),
      most_probabilities_(2 + std::min(AcceptancePlanes::kMost, 32 - __builtin_clz(program.largest_weight | 1))),
      graph_(model, program, {0, 0, replica_words, static_cast<size_t>(most_probabilities_) * kDigits * sizeof(uint32_t)}, stream),
      random_(static_cast<size_t>(graph_.blocks()) * kSweepThreads, stream) {
  seed_threads(seed, random_, stream);
}

void DeviceLaneSampler::set_betas(const std::vector<double>& betas) {
  std::vector<AcceptancePlanes> planes;
  std::vector<uint8_t> hot;
  int digits = 0;
  for (const double beta : betas) {
    hot.push_back(beta == 0);
    planes.push_back(beta == 0 ? AcceptancePlanes{} : acceptance_planes(beta * unit_, largest_weight_, kDigits));
    digits = std::max(digits, planes.back().planes);
  }
  probabilities_ = digits + 2;
  std::vector<uint32_t> table;
  for (const AcceptancePlanes& a : planes) {
    for (int j = 0; j < digits; ++j) table.push_back(j < a.planes ? a.digit[j] : 0);
    table.push_back(a.odd);
    table.push_back(a.overflow);
  }
  table_ = cuda::Buffer<uint32_t>::from_host(table.data(), table.size(), stream_);
  hot_ = cuda::Buffer<uint8_t>::from_host(hot.data(), hot.size(), stream_);
  stream_.synchronize();  // the host copies end here
}

void DeviceLaneSampler::sweep(const Lanes& lanes, int sweeps, bool finish) {
  const size_t bytes = graph_.shared_bytes() +
                       static_cast<size_t>(graph_.words()) * most_probabilities_ * kDigits * sizeof(uint32_t);
  const auto run = [&](auto kernel, const auto* groups) {
    XC_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(bytes)));
    kernel<<<graph_.blocks(), kSweepThreads, bytes, stream_.get()>>>(
        graph_.view(groups), lanes, {table_.data(), hot_.data(), probabilities_}, sweeps, finish, random_.data());
    XC_CUDA_LAUNCHED("thermo.ising_lane_sweep");
  };
  graph_.with_planes([&](auto planes) {
    if (graph_.in_shared()) {
      run(lane_sweep_kernel<planes, ushort4>, graph_.near_groups());
    } else {
      run(lane_sweep_kernel<planes, int4>, graph_.far_groups());
    }
  });
}

}  // namespace xcore::thermo::ising
