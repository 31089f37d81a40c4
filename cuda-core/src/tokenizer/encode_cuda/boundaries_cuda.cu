// Where pieces start, and which segments the GPU leaves alone.
#include "tokenizer/encode_cuda/kernels_cuda.cuh"
#include "tokenizer/encode_cuda/walk.hpp"

namespace xcore::tokenizer::gpu {
namespace {

constexpr int kThreads = 256;
constexpr uint32_t kStep = 32;   // bytes in which a thread looks for its first certain start
constexpr uint32_t kLook = 16;   // bytes a thread classifies

unsigned blocks_for(size_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

__global__ void clear_kernel(Chunk c, uint32_t words) {
  const uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i < words) c.bits[i] = 0;
  if (i < c.segment_count) c.flags[i] = 0;
  if (i == 0) *c.totals = {};
}

__global__ void __launch_bounds__(kThreads) classify_kernel(TableView t, const AddedFilter* filter, bool nfc, Chunk c) {
  __shared__ AddedFilter added;
  __shared__ uint8_t ascii[128];
  if (filter) {
    constexpr uint32_t kWords = sizeof(AddedFilter) / 4;
    for (uint32_t i = threadIdx.x; i < kWords; i += kThreads) {
      reinterpret_cast<uint32_t*>(&added)[i] = reinterpret_cast<const uint32_t*>(filter)[i];
    }
  }
  if (threadIdx.x < 128) ascii[threadIdx.x] = t.classes.classes[threadIdx.x];
  __syncthreads();
  const uint32_t from = (blockIdx.x * kThreads + threadIdx.x) * kLook;
  if (from >= c.size) return;
  const uint4 words = *reinterpret_cast<const uint4*>(c.text + from);
  const uint32_t four[4] = {words.x, words.y, words.z, words.w};
  uint32_t info[4] = {};
#pragma unroll
  for (uint32_t i = 0; i < kLook; ++i) {
    const auto byte = static_cast<uint8_t>(four[i / 4] >> 8 * (i % 4));
    if (from + i >= c.size) break;
    bool leave = false;
    Info own;
    if (byte < 0x80) {
      own = ascii[byte];
    } else {
      uint8_t kind;
      own = info_at(t.classes, c.text, c.text + from + i, c.text + c.size, kind);
      leave = nfc && (kind & kUnstable);
    }
    info[i / 4] |= static_cast<uint32_t>(own) << 8 * (i % 4);
    if (filter && (added.starts[byte >> 5] >> (byte & 31) & 1)) leave = leave || may_begin_added(added, c.text + from + i);
    if (leave) c.flags[segment_of(c, from + i)] = 1;
  }
  *reinterpret_cast<uint4*>(c.info + from) = {info[0], info[1], info[2], info[3]};
}

// Starts are found in order, so those of one word of bits are written together.
class Marks {
 public:
  __device__ explicit Marks(uint32_t* bits) : bits_(bits) {}
  __device__ ~Marks() { flush(); }
  __device__ void add(uint32_t position) {
    if (position >> 5 != word_) {
      flush();
      word_ = position >> 5;
    }
    pending_ |= 1u << (position & 31);
  }

 private:
  __device__ void flush() {
    if (pending_) atomicOr(bits_ + word_, pending_);
    pending_ = 0;
  }
  uint32_t* bits_;
  uint32_t word_ = 0, pending_ = 0;
};

template <Pattern kPattern>
__global__ void __launch_bounds__(kThreads) mark_kernel(Chunk c) {
  // The segments of the block's bytes, found once.
  __shared__ uint32_t segments[2];
  const uint32_t base = blockIdx.x * kThreads * kStep;
  if (threadIdx.x < 64 && threadIdx.x % 32 == 0) {
    const uint32_t last = base + kThreads * kStep - 1;
    segments[threadIdx.x / 32] = segment_of(c, threadIdx.x == 0 ? base : last < c.size ? last : c.size - 1);
  }
  __syncthreads();
  const uint32_t from = base + threadIdx.x * kStep;
  if (from >= c.size) return;
  const uint32_t stop = c.size - from < kStep ? c.size : from + kStep;
  Marks marks(c.bits);
  walk<kPattern>(c.text, c.info, c.segments, segment_of(c, from, segments[0], segments[1] + 1), from, stop,
                 [&](uint32_t position) { marks.add(position); });
}

}  // namespace

void launch_clear(const Chunk& c, const cuda::Stream& stream) {
  const auto words = static_cast<uint32_t>(words_of(c.size));
  clear_kernel<<<blocks_for(words > c.segment_count ? words : c.segment_count), kThreads, 0, stream>>>(c, words);
  XC_CUDA_LAUNCHED("tokenizer.clear");
}

void launch_classify(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  classify_kernel<<<blocks_for((c.size + kLook - 1) / kLook), kThreads, 0, stream>>>(t.view, t.filter, t.nfc, c);
  XC_CUDA_LAUNCHED("tokenizer.classify");
}

void launch_mark(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  const unsigned blocks = blocks_for((c.size + kStep - 1) / kStep);
  switch (t.pattern) {
    case Pattern::gpt2: mark_kernel<Pattern::gpt2><<<blocks, kThreads, 0, stream>>>(c); break;
    case Pattern::cl100k: mark_kernel<Pattern::cl100k><<<blocks, kThreads, 0, stream>>>(c); break;
    case Pattern::qwen2: mark_kernel<Pattern::qwen2><<<blocks, kThreads, 0, stream>>>(c); break;
    case Pattern::o200k: mark_kernel<Pattern::o200k><<<blocks, kThreads, 0, stream>>>(c); break;
    case Pattern::tekken: mark_kernel<Pattern::tekken><<<blocks, kThreads, 0, stream>>>(c); break;
    default: throw error(XC_INTERNAL, "", -1, "no scanner for this pattern");
  }
  XC_CUDA_LAUNCHED("tokenizer.mark");
}

}  // namespace xcore::tokenizer::gpu
