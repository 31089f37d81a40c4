#include "thermo/ising/bitsliced/bitsliced_cuda.hpp"

#include <algorithm>
#include <type_traits>

namespace xcore::thermo::ising {

namespace {

__device__ __forceinline__ uint32_t majority(uint32_t a, uint32_t b, uint32_t c) { return (a & b) | (c & (a | b)); }

// Multiply-with-carry, its two halves XORed (MWC64X: D. Thomas, "The MWC64X Random Number Generator", 2011; G. Marsaglia's
// multiply-with-carry, period about 2^63): one wide multiplication a word where xoshiro takes ten logical instructions,
// and random words are most of a sweep.
struct MultiplyWithCarry {
  uint32_t x, carry;
  __device__ __forceinline__ uint32_t next() {
    const uint32_t out = x ^ carry;
    const uint64_t product = static_cast<uint64_t>(x) * 4294883355u + carry;
    x = static_cast<uint32_t>(product);
    carry = static_cast<uint32_t>(product >> 32);
    return out;
  }
  // See bitsliced_kernel.hpp. The masks are 0 or all ones, the same for all threads; the first `skipped` groups of four are 0.
  __device__ __forceinline__ uint32_t bernoulli(const uint4* masks, int skipped) {
    uint32_t bits = 0;
#pragma unroll
    for (int b = 0; b < kSweepDigits / 4; ++b) {
      if (b < skipped) continue;
      const uint4 m = masks[b];
      bits = majority(bits, next(), m.x);
      bits = majority(bits, next(), m.y);
      bits = majority(bits, next(), m.z);
      bits = majority(bits, next(), m.w);
    }
    return bits;
  }
};

// sum += carry * 2^from.
template <int planes, int from>
__device__ __forceinline__ void ripple(uint32_t (&sum)[planes], uint32_t carry) {
#pragma unroll
  for (int j = from; j < planes; ++j) {
    const uint32_t next = sum[j] & carry;
    sum[j] ^= carry;
    carry = next;
  }
}

// The far ends of four bonds. Where a spin stands twice, as it is and turned over, the sign of a bond is part of its address.
struct Ends {
  uint32_t a, b, c, d;
};
template <class Group>
__device__ __forceinline__ Ends ends(const uint32_t* state, const Group& group) {
  const auto one = [&](int32_t entry) {
    if constexpr (sizeof(Group) == sizeof(ushort4)) {
      return state[entry];
    } else {
      const int32_t turned = entry >> 31;
      return state[entry ^ turned] ^ static_cast<uint32_t>(turned);
    }
  };
  return {one(group.x), one(group.y), one(group.z), one(group.w)};
}

// sum += 2^level * (the number of satisfied bonds), `count` groups of four; the groups of 32 spins alternate. A bond that only
// fills up leads to the spin itself and counts nothing. Most time would go by waiting for the next group and then for its spins,
// so both are on their way while one is added.
template <int planes, int level, class Group>
__device__ __forceinline__ void add_bonds(uint32_t (&sum)[planes], const uint32_t* state, const Group*& groups, int count,
                                          uint32_t self) {
  if (count == 0) return;
  Ends now = ends(state, groups[0]);
  Group ahead = groups[kSliceSpins];  // beyond the last is something else, which is not used
  for (int left = count; left > 0; --left) {
    groups += kSliceSpins;
    Ends next = now;
    if (left > 1) next = ends(state, ahead);
    ahead = groups[kSliceSpins];
    const uint32_t a = now.a ^ self, b = now.b ^ self, c = now.c ^ self, d = now.d ^ self;
    const uint32_t low = majority(sum[level], a, b);
    sum[level] ^= a ^ b;
    const uint32_t high = majority(sum[level], c, d);
    sum[level] ^= c ^ d;
    if constexpr (level + 1 < planes) {
      const uint32_t carry = majority(sum[level + 1], low, high);
      sum[level + 1] ^= low ^ high;
      ripple<planes, level + 2>(sum, carry);
    }
    now = next;
  }
}

// The bonds of level 1 and up follow those of level 0, each level behind a group with its count.
template <int planes, int level, class Group>
__device__ __forceinline__ void add_levels(uint32_t (&sum)[planes], const uint32_t* state, const Group*& groups, int count,
                                           int levels, uint32_t self) {
  add_bonds<planes, level>(sum, state, groups, count, self);
  if constexpr (level + 1 < planes) {
    if (level + 1 >= levels) return;
    const int next = groups->x;
    groups += kSliceSpins;
    add_levels<planes, level + 1>(sum, state, groups, next, levels, self);
  }
}

struct SweepHeader {
  int32_t planes, skipped;
  bool any_odd, any_overflow;
};

// Group: ushort4 where the spins of a block stand in shared memory, else int4.
template <int planes, class Group>
__global__ void __launch_bounds__(kSweepThreads, 1)
    sweep_kernel(uint32_t* __restrict__ rows, int32_t n, int words, int64_t row_words, int32_t turned_offset,
                 const int4* __restrict__ spins, const Group* __restrict__ groups, const int32_t* __restrict__ colour_starts,
                 int colours, const DeviceSweep* __restrict__ schedules, int length, int first, int last,
                 const int32_t* __restrict__ fresh, uint2* __restrict__ random) {
  constexpr bool in_shared = sizeof(Group) == sizeof(ushort4);
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
    for (int colour = 0; colour < colours; ++colour) {
      const int end = __ldg(colour_starts + colour + 1);
      for (int at = __ldg(colour_starts + colour) + slot; at < end; at += slots) {
        const int4 spin = __ldg(spins + at);
        if (spin.x < 0) continue;  // fills up a slice
        const uint32_t weight = static_cast<uint32_t>(spin.w) >> 8, half = weight / 2;
        const int used = 32 - __clz(weight | 1);  // planes that A can reach
        const uint32_t self = state[spin.x];
        uint32_t sum[planes] = {};
        const Group* group = groups + spin.y;
        add_levels<planes, 0>(sum, state, group, spin.z, spin.w & 255, self);
        uint32_t carry = 0, accepted = ~0u;
        if ((weight & 1) && now.any_odd)
          carry = draws.bernoulli(mask + DeviceSweep::kOdd * (kSweepDigits / 4), now.skipped);
#pragma unroll
        for (int j = 0; j < planes; ++j) {
          if (j >= used && j >= now.planes) break;
          const uint32_t g = j < now.planes ? draws.bernoulli(mask + j * (kSweepDigits / 4), now.skipped) : 0;
          const uint32_t one = 0u - (half >> j & 1u);
          const uint32_t limit = g ^ carry ^ one;
          carry = majority(g, carry, one);
          accepted = (~sum[j] & limit) | (~(sum[j] ^ limit) & accepted);
        }
        // Digits of G beyond those of A accept by themselves.
        for (int j = planes; j < now.planes; ++j) accepted |= draws.bernoulli(mask + j * (kSweepDigits / 4), now.skipped);
        accepted |= carry;
        if (now.any_overflow)
          accepted |= draws.bernoulli(mask + DeviceSweep::kOverflow * (kSweepDigits / 4), now.skipped);
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

__global__ void seed_kernel(uint64_t seed, uint2* random) {
  const uint64_t t = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  Philox draws(seed, t | uint64_t{1} << 62);
  const uint32_t x = draws.next_u32();
  // The carry stays below the multiplier, and 0 with x = 0 would be a fixed point.
  random[t] = make_uint2(x, draws.next_u32() >> 1 | 1);
}

constexpr int kSharedLimit = 200 << 10;

// The rows of the spins of one colour that a thread block works on side by side: threads that keep a multiprocessor busy while
// the others wait for memory.
constexpr int kBusyThreads = 192;

// The spins of one colour in slices of 32, each slice with the groups of its spins alternating, so that a warp reads them side
// by side. spins: row, first group, groups of level 0, levels | weight << 8; row -1 fills up a slice.
template <class Group>
std::vector<Group> slices(const BitslicedProgram& program, const Colouring& colouring, int64_t stride, int32_t turned_offset,
                          std::vector<int4>& spins, std::vector<int32_t>& starts) {
  using Entry = decltype(Group{}.x);
  constexpr bool in_shared = sizeof(Group) == sizeof(ushort4);
  const auto groups_of = [&](int32_t i) {
    const auto& s = program.spins[i];
    size_t count = 0;
    for (int32_t l = 0; l < s.levels; ++l) {
      const auto& level = program.levels[s.first_level + l];
      count += (l > 0) + (level.antiferro + level.ferro + 3) / 4;
    }
    return count;
  };
  std::vector<Group> groups;
  starts.assign(1, 0);
  for (size_t c = 0; c + 1 < colouring.starts.size(); ++c) {
    for (int32_t begin = colouring.starts[c]; begin < colouring.starts[c + 1]; begin += kSliceSpins) {
      const int32_t end = std::min(begin + kSliceSpins, colouring.starts[c + 1]);
      const size_t base = groups.size();
      size_t most = 0;
      for (int32_t at = begin; at < end; ++at) most = std::max(most, groups_of(colouring.order[at]));
      groups.resize(base + most * kSliceSpins);
      for (int32_t lane = 0; lane < kSliceSpins; ++lane) {
        if (begin + lane >= end) {
          spins.push_back(make_int4(-1, 0, 0, 0));
          continue;
        }
        const int32_t i = colouring.order[begin + lane];
        const auto& s = program.spins[i];
        const auto own = static_cast<int32_t>(i * stride);
        Group* at = groups.data() + base + lane;
        const int32_t* row = program.entries.data() + s.first_entry;
        int32_t first_count = 0;
        for (int32_t l = 0; l < s.levels; ++l) {
          const auto& level = program.levels[s.first_level + l];
          const int32_t count = level.antiferro + level.ferro;
          if (l == 0) {
            first_count = (count + 3) / 4;
          } else {
            at->x = static_cast<Entry>((count + 3) / 4);
            at += kSliceSpins;
          }
          for (int32_t k = 0; k < count; k += 4, at += kSliceSpins) {
            int32_t entry[4] = {own, own, own, own};
            for (int32_t m = 0; m < 4 && k + m < count; ++m, ++row) {
              const auto offset = static_cast<int32_t>(*row * stride);
              entry[m] = k + m < level.antiferro ? offset : in_shared ? offset + turned_offset : ~offset;
            }
            at->x = static_cast<Entry>(entry[0]);
            at->y = static_cast<Entry>(entry[1]);
            at->z = static_cast<Entry>(entry[2]);
            at->w = static_cast<Entry>(entry[3]);
          }
        }
        spins.push_back(make_int4(own, static_cast<int>(base) + lane, first_count, static_cast<int>(s.levels | s.weight << 8)));
      }
    }
    starts.push_back(static_cast<int32_t>(spins.size()));
  }
  groups.resize(groups.size() + 2 * kSliceSpins);  // read ahead
  return groups;
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
    : stream_(stream), n_(model.n), words_(words), blocks_(blocks), largest_weight_(program.largest_weight) {
  const Colouring colouring = colour_greedily(model);
  const int64_t colours = static_cast<int64_t>(colouring.starts.size()) - 1;
  bool turned = false;  // some bond wants its ends equal
  for (const auto& level : program.levels) turned |= level.ferro > 0;
  const auto bytes = [&](int w) { return static_cast<int64_t>(n_ + 1) * w * 4 * (turned ? 2 : 1); };
  // Few words mean that a sweep takes little time, as long as the spins of one colour still occupy the threads.
  const bool choose = words_ == 0;
  if (choose)
    for (words_ = 1; words_ < kLaneWords && static_cast<int64_t>(words_) * n_ < kBusyThreads * colours;) words_ *= 2;
  while (words_ > 1 && bytes(words_) > kSharedLimit) words_ /= 2;
  // Places in shared memory are told in 16 bits.
  while (words_ > 1 && bytes(words_) / 4 > 65536) words_ /= 2;
  in_shared_ = bytes(words_) <= kSharedLimit && bytes(words_) / 4 <= 65536;
  if (!in_shared_) words_ = choose ? 2 : kLaneWords;
  shared_bytes_ = in_shared_ ? static_cast<size_t>(bytes(words_)) : 0;
  const int64_t stride = in_shared_ ? words_ : row_words();
  turned_offset_ = turned && in_shared_ ? static_cast<int32_t>((n_ + 1) * stride) : 0;
  if ((n_ + 1) * stride > INT32_MAX / 2)
    throw Error(XC_OUT_OF_MEMORY, "the replicas of this model are more than the kernel can address", "device");

  colours_ = static_cast<int>(colours);
  std::vector<int4> spins;
  std::vector<int32_t> starts;
  const auto upload = [&](auto& buffer, const auto& groups) {
    using Buffer = std::decay_t<decltype(buffer)>;
    if (groups.size() > INT32_MAX / 2)
      throw Error(XC_OUT_OF_MEMORY, "the bonds of this model are more than the kernel can address", "device");
    buffer = Buffer::from_host(groups.data(), groups.size(), stream_);
    spins_ = cuda::Buffer<int4>::from_host(spins.data(), spins.size(), stream_);
    colour_starts_ = cuda::Buffer<int32_t>::from_host(starts.data(), starts.size(), stream_);
    random_ = cuda::Buffer<uint2>(static_cast<size_t>(blocks_) * kSweepThreads, stream_);
    seed_kernel<<<blocks_, kSweepThreads, 0, stream_.get()>>>(seed, random_.data());
    XC_CUDA_LAUNCHED("thermo.bitsliced_seed");
    stream_.synchronize();  // the host copies end here
  };
  if (in_shared_) {
    upload(near_groups_, slices<ushort4>(program, colouring, stride, turned_offset_, spins, starts));
  } else {
    upload(far_groups_, slices<int4>(program, colouring, stride, 0, spins, starts));
  }
}

template <int planes>
void DeviceBitsliced::launch(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last,
                             const int32_t* fresh) {
  const auto run = [&](auto kernel, const auto* groups) {
    XC_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared_bytes_)));
    kernel<<<blocks_, kSweepThreads, shared_bytes_, stream_.get()>>>(
        rows, n_, words_, row_words(), turned_offset_, spins_.data(), groups, colour_starts_.data(), colours_, schedules, length,
        first, last, fresh, random_.data());
    XC_CUDA_LAUNCHED("thermo.bitsliced_sweep");
  };
  if (in_shared_) {
    run(sweep_kernel<planes, ushort4>, near_groups_.data());
  } else {
    run(sweep_kernel<planes, int4>, far_groups_.data());
  }
}

void DeviceBitsliced::sweep(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last,
                            const int32_t* fresh) {
  if (largest_weight_ < 1 << 4) {
    launch<4>(rows, schedules, length, first, last, fresh);
  } else if (largest_weight_ < 1 << 6) {
    launch<6>(rows, schedules, length, first, last, fresh);
  } else if (largest_weight_ < 1 << 8) {
    launch<8>(rows, schedules, length, first, last, fresh);
  } else {
    launch<16>(rows, schedules, length, first, last, fresh);
  }
}

}  // namespace xcore::thermo::ising
