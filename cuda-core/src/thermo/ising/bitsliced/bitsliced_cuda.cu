#include "thermo/ising/bitsliced/bitsliced_cuda.hpp"

#include <algorithm>

namespace xcore::thermo::ising {

namespace {

__device__ __forceinline__ uint32_t majority(uint32_t a, uint32_t b, uint32_t c) { return (a & b) | (c & (a | b)); }

struct Xoshiro {
  uint32_t s0, s1, s2, s3;
  __device__ __forceinline__ uint32_t next() {
    const uint32_t out = __funnelshift_l(s0 + s3, s0 + s3, 7) + s0;
    const uint32_t t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = __funnelshift_l(s3, s3, 11);
    return out;
  }
  // See bitsliced_kernel.hpp. The masks are 0 or all ones, the same for all threads.
  __device__ __forceinline__ uint32_t bernoulli(const uint4* masks) {
    uint32_t x = 0;
#pragma unroll
    for (int b = 0; b < kSweepDigits / 4; ++b) {
      const uint4 m = masks[b];
      x = majority(x, next(), m.x);
      x = majority(x, next(), m.y);
      x = majority(x, next(), m.z);
      x = majority(x, next(), m.w);
    }
    return x;
  }
};

// sum += carry * 2^from, where no more than `used` planes are in use.
template <int planes, int from>
__device__ __forceinline__ void ripple(uint32_t (&sum)[planes], uint32_t carry, int used) {
#pragma unroll
  for (int j = from; j < planes; ++j) {
    if (j >= used) break;
    const uint32_t next = sum[j] & carry;
    sum[j] ^= carry;
    carry = next;
  }
}

// sum += 2^level * (the number of neighbours that disagree with `self`), four neighbours at a time.
template <int planes, int level>
__device__ __forceinline__ void add_neighbours(uint32_t (&sum)[planes], const uint32_t* state, const int32_t*& entry, int count,
                                               uint32_t self, int used) {
  int k = 0;
  if constexpr (level + 1 < planes) {
    for (; k + 4 <= count; k += 4, entry += 4) {
      const uint32_t a = state[__ldg(entry)] ^ self, b = state[__ldg(entry + 1)] ^ self;
      const uint32_t c = state[__ldg(entry + 2)] ^ self, d = state[__ldg(entry + 3)] ^ self;
      const uint32_t low = majority(sum[level], a, b);
      sum[level] ^= a ^ b;
      const uint32_t high = majority(sum[level], c, d);
      sum[level] ^= c ^ d;
      const uint32_t carry = majority(sum[level + 1], low, high);
      sum[level + 1] ^= low ^ high;
      ripple<planes, level + 2>(sum, carry, used);
    }
  }
  for (; k < count; ++k, ++entry) ripple<planes, level>(sum, state[__ldg(entry)] ^ self, used);
}

template <int planes, int level>
__device__ __forceinline__ void add_levels(uint32_t (&sum)[planes], const uint32_t* state, const int32_t*& entry,
                                           const int2* levels, int count, uint32_t self, int used) {
  if (level >= count) return;
  const int2 part = __ldg(levels + level);
  add_neighbours<planes, level>(sum, state, entry, part.x, self, used);
  add_neighbours<planes, level>(sum, state, entry, part.y, ~self, used);
  if constexpr (level + 1 < planes && level + 1 < 8) add_levels<planes, level + 1>(sum, state, entry, levels, count, self, used);
}

template <int planes, bool in_shared>
__global__ void __launch_bounds__(kSweepThreads, 1)
    sweep_kernel(uint32_t* __restrict__ rows, int32_t n, int words, int64_t row_words, const int4* __restrict__ spins,
                 const int2* __restrict__ levels, const int32_t* __restrict__ entries,
                 const int32_t* __restrict__ colour_starts, int colours, const DeviceSweep* __restrict__ schedules, int length,
                 int first, int last, const int32_t* __restrict__ fresh, uint4* __restrict__ random) {
  extern __shared__ uint32_t shared_rows[];
  __shared__ uint4 masks[(AcceptancePlanes::kMost + 2) * kSweepDigits / 4];
  __shared__ DeviceSweep now;
  const int word = threadIdx.x % words, slot = threadIdx.x / words, slots = blockDim.x / words;
  uint32_t* const mine = rows + static_cast<int64_t>(blockIdx.x) * words;  // this block's words of row 0
  const bool is_fresh = fresh[blockIdx.x] != 0;
  const uint4 seed = random[blockIdx.x * blockDim.x + threadIdx.x];
  Xoshiro draws{seed.x, seed.y, seed.z, seed.w};

  // The ghost row n is all ones. In global memory a block's row keeps the stride of all blocks.
  uint32_t* const state = in_shared ? shared_rows + word : mine + word;
  const int64_t stride = in_shared ? words : row_words;
  for (int32_t i = slot; i <= n; i += slots) {
    uint32_t value = ~0u;
    if (i < n) value = is_fresh && first == 0 ? draws.next() : mine[i * row_words + word];
    state[i * stride] = value;
  }
  const DeviceSweep* const schedule = schedules + (is_fresh ? length : 0);
  for (int sweep = first; sweep < last; ++sweep) {
    __syncthreads();
    if (threadIdx.x < sizeof(DeviceSweep) / 4)
      reinterpret_cast<uint32_t*>(&now)[threadIdx.x] = reinterpret_cast<const uint32_t*>(schedule + sweep)[threadIdx.x];
    __syncthreads();
    // Plane p of the masks: digit p, then odd, then overflow.
    for (int k = threadIdx.x; k < (now.planes + 2) * kSweepDigits; k += blockDim.x) {
      const int plane = k / kSweepDigits, bit = 32 - kSweepDigits + k % kSweepDigits;
      const uint32_t p = plane < now.planes ? now.digit[plane] : plane == now.planes ? now.odd : now.overflow;
      reinterpret_cast<uint32_t*>(masks)[k] = 0u - (p >> bit & 1u);
    }
    __syncthreads();
    const int active = now.planes;
    const bool any_odd = now.odd != 0, any_overflow = now.overflow != 0;
    for (int colour = 0; colour < colours; ++colour) {
      const int end = __ldg(colour_starts + colour + 1);
      for (int at = __ldg(colour_starts + colour) + slot; at < end; at += slots) {
        const int4 spin = __ldg(spins + at);
        const uint32_t weight = static_cast<uint32_t>(spin.w) >> 8, half = weight / 2;
        const int used = 32 - __clz(weight | 1);  // planes that A can reach
        const uint32_t self = state[spin.x * stride];
        uint32_t sum[planes] = {};
        const int32_t* entry = entries + spin.y;
        add_levels<planes, 0>(sum, state, entry, levels + spin.z, spin.w & 255, self, used);
        uint32_t carry = 0, accepted = ~0u;
        if ((weight & 1) && any_odd) carry = draws.bernoulli(masks + active * (kSweepDigits / 4));
#pragma unroll
        for (int j = 0; j < planes; ++j) {
          if (j >= used && j >= active) break;
          const uint32_t g = j < active ? draws.bernoulli(masks + j * (kSweepDigits / 4)) : 0;
          const uint32_t one = 0u - (half >> j & 1u);
          const uint32_t limit = g ^ carry ^ one;
          carry = majority(g, carry, one);
          accepted = (~sum[j] & limit) | (~(sum[j] ^ limit) & accepted);
        }
        // Digits of G beyond those of A accept by themselves.
        for (int j = planes; j < active; ++j) accepted |= draws.bernoulli(masks + j * (kSweepDigits / 4));
        accepted |= carry;
        if (any_overflow) accepted |= draws.bernoulli(masks + (active + 1) * (kSweepDigits / 4));
        state[spin.x * stride] = self ^ accepted;
      }
      __syncthreads();
    }
  }
  __syncthreads();
  if (in_shared)
    for (int32_t i = slot; i < n; i += slots) mine[i * row_words + word] = state[i * stride];
  random[blockIdx.x * blockDim.x + threadIdx.x] = make_uint4(draws.s0, draws.s1, draws.s2, draws.s3);
}

__global__ void seed_kernel(uint64_t seed, uint4* random) {
  const uint64_t t = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  Philox draws(seed, t | uint64_t{1} << 62);
  const uint32_t a = draws.next_u32() | 1, b = draws.next_u32(), c = draws.next_u32(), d = draws.next_u32();
  random[t] = make_uint4(a, b, c, d);
}

constexpr int kSharedLimit = 200 << 10;

}  // namespace

DeviceSweep device_sweep(double beta_unit, uint32_t largest_weight) {
  const AcceptancePlanes a = acceptance_planes(beta_unit, largest_weight, kSweepDigits);
  DeviceSweep out{};
  out.planes = a.planes;
  out.odd = a.odd;
  out.overflow = a.overflow;
  std::copy(a.digit, a.digit + a.planes, out.digit);
  return out;
}

DeviceBitsliced::DeviceBitsliced(const IntegerModel& model, const BitslicedProgram& program, int blocks, int words,
                                 uint64_t seed, const cuda::Stream& stream)
    : stream_(stream), colouring_(colour_greedily(model)), n_(model.n), words_(words), blocks_(blocks) {
  largest_weight_ = program.largest_weight;
  const auto bytes = [&](int w) { return static_cast<int64_t>(n_ + 1) * w * 4; };
  // Few words mean that a sweep takes little time, as long as the spins of one colour still occupy all threads.
  if (words_ == 0)
    for (words_ = 1; words_ < kLaneWords && static_cast<int64_t>(words_) * n_ < int64_t{kSweepThreads} * colours();) words_ *= 2;
  while (words_ > 1 && bytes(words_) > kSharedLimit) words_ /= 2;
  in_shared_ = bytes(words_) <= kSharedLimit;
  if (!in_shared_) words_ = kLaneWords;

  std::vector<int4> spins;
  for (const int32_t i : colouring_.order) {
    const auto& s = program.spins[i];
    spins.push_back(make_int4(i, static_cast<int>(s.first_entry), s.first_level, static_cast<int>(s.levels | s.weight << 8)));
  }
  std::vector<int2> levels;
  for (const auto& l : program.levels) levels.push_back(make_int2(l.antiferro, l.ferro));
  // Entries are offsets of words, so that a thread adds nothing but its own word.
  std::vector<int32_t> entries;
  const int64_t stride = in_shared_ ? words_ : row_words();
  for (const int32_t row : program.entries) entries.push_back(static_cast<int32_t>(row * stride));
  if ((n_ + 1) * stride > INT32_MAX)
    throw Error(XC_OUT_OF_MEMORY, "the replicas of this model are more than the kernel can address", "device");
  if (levels.empty()) levels.push_back(make_int2(0, 0));
  if (entries.empty()) entries.push_back(0);
  spins_ = cuda::Buffer<int4>::from_host(spins.data(), spins.size(), stream_);
  levels_ = cuda::Buffer<int2>::from_host(levels.data(), levels.size(), stream_);
  entries_ = cuda::Buffer<int32_t>::from_host(entries.data(), entries.size(), stream_);
  colour_starts_ = cuda::Buffer<int32_t>::from_host(colouring_.starts.data(), colouring_.starts.size(), stream_);
  random_ = cuda::Buffer<uint4>(static_cast<size_t>(blocks_) * kSweepThreads, stream_);
  seed_kernel<<<blocks_, kSweepThreads, 0, stream_.get()>>>(seed, random_.data());
  XC_CUDA_LAUNCHED("thermo.bitsliced_seed");
  stream_.synchronize();  // the host copies end here
}

template <int planes>
void DeviceBitsliced::launch(uint32_t* rows, const DeviceSweep* schedules, int length, int first, int last,
                             const int32_t* fresh) {
  const auto run = [&](auto kernel, size_t shared) {
    XC_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared)));
    kernel<<<blocks_, kSweepThreads, shared, stream_.get()>>>(rows, n_, words_, row_words(), spins_.data(), levels_.data(),
                                                              entries_.data(), colour_starts_.data(), colours(), schedules,
                                                              length, first, last, fresh, random_.data());
    XC_CUDA_LAUNCHED("thermo.bitsliced_sweep");
  };
  if (in_shared_) {
    run(sweep_kernel<planes, true>, static_cast<size_t>(n_ + 1) * words_ * 4);
  } else {
    run(sweep_kernel<planes, false>, 0);
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
