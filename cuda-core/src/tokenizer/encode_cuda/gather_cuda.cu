// From bits to positions, and from results to ids in a row: two compactions with the same three steps, sums of tiles,
// their running sum, and the writing.
#include "tokenizer/encode_cuda/kernels_cuda.cuh"

namespace xcore::tokenizer::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = kTile / kThreads;
constexpr int kScanThreads = 1024;

__device__ uint32_t ids_in(uint32_t result) { return result & kMany ? result & ~kMany : 1; }

__device__ void load_words(const Chunk& c, uint32_t (&words)[kEach]) {
  const uint4 v = reinterpret_cast<const uint4*>(c.bits)[blockIdx.x * kThreads + threadIdx.x];
  words[0] = v.x;
  words[1] = v.y;
  words[2] = v.z;
  words[3] = v.w;
}

__global__ void __launch_bounds__(kThreads) count_bits_kernel(Chunk c) {
  uint32_t words[kEach], total;
  load_words(c, words);
  block_exclusive_sum<kThreads / 32>(__popc(words[0]) + __popc(words[1]) + __popc(words[2]) + __popc(words[3]), total);
  if (threadIdx.x == 0) c.tiles[blockIdx.x] = total;
}

// Replaces sums by the sums before them. One block.
__global__ void __launch_bounds__(kScanThreads) scan_tiles_kernel(uint32_t* tiles, uint32_t count, const uint32_t* pieces,
                                                                  uint32_t* total_out) {
  if (pieces) count = (*pieces + kTile - 1) / kTile;
  uint32_t carry = 0;
  for (uint32_t base = 0; base < count; base += kScanThreads) {
    const uint32_t i = base + threadIdx.x;
    uint32_t total;
    const uint32_t before = block_exclusive_sum<kScanThreads / 32>(i < count ? tiles[i] : 0, total);
    if (i < count) tiles[i] = carry + before;
    carry += total;
  }
  if (threadIdx.x == 0) *total_out = carry;
}

__global__ void __launch_bounds__(kThreads) write_starts_kernel(Chunk c) {
  uint32_t words[kEach], total;
  load_words(c, words);
  const uint32_t own = __popc(words[0]) + __popc(words[1]) + __popc(words[2]) + __popc(words[3]);
  uint32_t out = c.tiles[blockIdx.x] + block_exclusive_sum<kThreads / 32>(own, total);
  uint32_t position = (blockIdx.x * kThreads + threadIdx.x) * kEach * 32;
  for (int k = 0; k < kEach; ++k, position += 32) {
    for (uint32_t rest = words[k]; rest; rest &= rest - 1) c.starts[out++] = position + __ffs(static_cast<int>(rest)) - 1;
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) c.starts[c.totals->pieces] = c.size;
}

__global__ void __launch_bounds__(kThreads) count_ids_kernel(Chunk c) {
  const uint32_t pieces = c.totals->pieces;
  if (blockIdx.x * kTile >= pieces) return;
  uint32_t own = 0, total;
  for (int k = 0; k < kEach; ++k) {
    const uint32_t i = blockIdx.x * kTile + k * kThreads + threadIdx.x;
    if (i < pieces) own += ids_in(c.results[i]);
  }
  block_exclusive_sum<kThreads / 32>(own, total);
  if (threadIdx.x == 0) c.tiles[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kThreads) write_ids_kernel(Chunk c) {
  const uint32_t pieces = c.totals->pieces;
  if (blockIdx.x * kTile >= pieces) return;
  uint32_t base = c.tiles[blockIdx.x];
  for (int k = 0; k < kEach; ++k) {
    const uint32_t i = blockIdx.x * kTile + k * kThreads + threadIdx.x;
    const uint32_t result = i < pieces ? c.results[i] : kMany;
    uint32_t total;
    const uint32_t at = base + block_exclusive_sum<kThreads / 32>(ids_in(result), total);
    base += total;
    if (i >= pieces) continue;
    if (!(result & kMany)) {
      c.ids[at] = result;
    } else {
      const uint32_t* const from = c.spill + c.starts[i];
      for (uint32_t n = 0; n < (result & ~kMany); ++n) c.ids[at + n] = from[n];
    }
    c.results[i] = at;
  }
}

__global__ void __launch_bounds__(kThreads) segment_ids_kernel(Chunk c) {
  const uint32_t j = blockIdx.x * kThreads + threadIdx.x;
  if (j > c.segment_count) return;
  if (j == c.segment_count) {
    c.segment_ids[j] = c.totals->ids;
    return;
  }
  // Every segment begins with a piece.
  const uint32_t begin = c.segments[j];
  uint32_t low = 0, high = c.totals->pieces;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (c.starts[middle] < begin) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  c.segment_ids[j] = c.results[low];
}

}  // namespace

void launch_gather(const Chunk& c, const cuda::Stream& stream) {
  const auto tiles = static_cast<uint32_t>(words_of(c.size) / kTile);
  count_bits_kernel<<<tiles, kThreads, 0, stream>>>(c);
  XC_CUDA_LAUNCHED("tokenizer.count_bits");
  scan_tiles_kernel<<<1, kScanThreads, 0, stream>>>(c.tiles, tiles, nullptr, &c.totals->pieces);
  XC_CUDA_LAUNCHED("tokenizer.scan_tiles");
  write_starts_kernel<<<tiles, kThreads, 0, stream>>>(c);
  XC_CUDA_LAUNCHED("tokenizer.write_starts");
}

void launch_emit(const Chunk& c, const cuda::Stream& stream) {
  const auto most = static_cast<uint32_t>(c.size / kTile + 1);  // tiles when every byte is a piece
  count_ids_kernel<<<most, kThreads, 0, stream>>>(c);
  XC_CUDA_LAUNCHED("tokenizer.count_ids");
  scan_tiles_kernel<<<1, kScanThreads, 0, stream>>>(c.tiles, 0, &c.totals->pieces, &c.totals->ids);
  XC_CUDA_LAUNCHED("tokenizer.scan_tiles");
  write_ids_kernel<<<most, kThreads, 0, stream>>>(c);
  XC_CUDA_LAUNCHED("tokenizer.write_ids");
  segment_ids_kernel<<<c.segment_count / kThreads + 1, kThreads, 0, stream>>>(c);
  XC_CUDA_LAUNCHED("tokenizer.segment_ids");
}

}  // namespace xcore::tokenizer::gpu
