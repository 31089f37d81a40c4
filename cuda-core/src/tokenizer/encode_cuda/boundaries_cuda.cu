// Where pieces start, and which segments the GPU leaves alone.
#include "tokenizer/encode_cuda/kernels_cuda.cuh"
#include "tokenizer/encode_cuda/walk.hpp"

namespace xcore::tokenizer::gpu {
namespace {

constexpr int kThreads = 256;
constexpr uint32_t kStep = 64;   // bytes in which a thread looks for its first certain start
constexpr uint32_t kLook = 16;   // bytes a thread of the filter looks at

unsigned blocks_for(size_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

__global__ void clear_kernel(Chunk c, uint32_t words) {
  const uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i < words) c.bits[i] = 0;
  if (i < c.segment_count) c.flags[i] = 0;
  if (i == 0) *c.totals = {};
}

__global__ void __launch_bounds__(kThreads) filter_kernel(TableView t, const AddedFilter* filter, bool nfc, Chunk c) {
  __shared__ AddedFilter added;
  if (filter) {
    constexpr uint32_t kWords = sizeof(AddedFilter) / 4;
    for (uint32_t i = threadIdx.x; i < kWords; i += kThreads) {
      reinterpret_cast<uint32_t*>(&added)[i] = reinterpret_cast<const uint32_t*>(filter)[i];
    }
  }
  __syncthreads();
  const uint32_t from = (blockIdx.x * kThreads + threadIdx.x) * kLook;
  if (from >= c.size) return;
  const uint4 words = *reinterpret_cast<const uint4*>(c.text + from);
  const uint32_t four[4] = {words.x, words.y, words.z, words.w};
  for (uint32_t i = 0; i < kLook && from + i < c.size; ++i) {
    const uint8_t byte = static_cast<uint8_t>(four[i / 4] >> 8 * (i % 4));
    bool found = false;
    if (filter && (added.starts[byte >> 5] >> (byte & 31) & 1)) found = may_begin_added(added, c.text + from + i);
    if (nfc && byte >= 0xcc && !found) {
      const Scanner s(t.classes, c.text, c.text + c.size);
      found = (s.peek(c.text + from + i).kind & kUnstable) != 0;
    }
    if (found) c.flags[segment_of(c, from + i)] = 1;
  }
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
__global__ void __launch_bounds__(kThreads) mark_kernel(TableView t, Chunk c) {
  const uint32_t from = (blockIdx.x * kThreads + threadIdx.x) * kStep;
  if (from >= c.size) return;
  const uint32_t stop = c.size - from < kStep ? c.size : from + kStep;
  Marks marks(c.bits);
  walk<kPattern>(t.classes, c.text, c.segments, segment_of(c, from), from, stop, [&](uint32_t position) { marks.add(position); });
}

}  // namespace

void launch_clear(const Chunk& c, const cuda::Stream& stream) {
  const auto words = static_cast<uint32_t>(words_of(c.size));
  clear_kernel<<<blocks_for(words > c.segment_count ? words : c.segment_count), kThreads, 0, stream>>>(c, words);
  XC_CUDA_LAUNCHED("tokenizer.clear");
}

void launch_filter(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  if (!t.filter && !t.nfc) return;
  filter_kernel<<<blocks_for((c.size + kLook - 1) / kLook), kThreads, 0, stream>>>(t.view, t.filter, t.nfc, c);
  XC_CUDA_LAUNCHED("tokenizer.filter");
}

void launch_mark(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  const unsigned blocks = blocks_for((c.size + kStep - 1) / kStep);
  switch (t.pattern) {
    case Pattern::gpt2: mark_kernel<Pattern::gpt2><<<blocks, kThreads, 0, stream>>>(t.view, c); break;
    case Pattern::cl100k: mark_kernel<Pattern::cl100k><<<blocks, kThreads, 0, stream>>>(t.view, c); break;
    case Pattern::qwen2: mark_kernel<Pattern::qwen2><<<blocks, kThreads, 0, stream>>>(t.view, c); break;
    case Pattern::o200k: mark_kernel<Pattern::o200k><<<blocks, kThreads, 0, stream>>>(t.view, c); break;
    case Pattern::tekken: mark_kernel<Pattern::tekken><<<blocks, kThreads, 0, stream>>>(t.view, c); break;
    default: throw error(XC_INTERNAL, "", -1, "no scanner for this pattern");
  }
  XC_CUDA_LAUNCHED("tokenizer.mark");
}

}  // namespace xcore::tokenizer::gpu
