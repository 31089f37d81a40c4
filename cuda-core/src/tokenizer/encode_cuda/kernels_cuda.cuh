// The stages of encoding one chunk on the device, in the order of `Stage`. Each is asynchronous on its stream; the host
// learns nothing before the last one.
//
// A chunk is a run of non-empty segments, one behind the other. All positions are bytes of the chunk.
#pragma once

#include <cstdint>

#include "runtime/cuda.hpp"
#include "tokenizer/encode_cuda/learned_cuda.cuh"
#include "tokenizer/encode_cuda/views.hpp"

namespace xcore::tokenizer::gpu {

// A piece's result: its only id, or this bit and how many ids lie in `spill` from the piece's position on.
inline constexpr uint32_t kMany = 0x80000000u;

// Pieces that have to be merged, by length: those of a bin take about as long.
inline constexpr int kBins = 6;
XC_HD constexpr uint32_t bin_size(int bin) { return bin + 1 < kBins ? 8u << bin : kMaxPiece; }

struct Totals {
  uint32_t pieces, ids;
  uint32_t misses[6];  // by bin
};

// Device memory of one chunk; `capacity` bytes of text take about 24 bytes a byte.
struct Chunk {
  uint8_t* text;          // [size + kPad]
  Info* info;             // [size]
  uint32_t* segments;     // [segment_count + 1] begins, then size
  uint32_t size, segment_count;
  uint32_t* bits;         // [size / 32 + 1] where pieces start
  uint32_t* tiles;        // sums of tiles of `bits`, then of pieces
  uint32_t* starts;       // [pieces + 1]
  uint32_t* results;      // [pieces]; in the end the number of ids before the piece
  uint32_t* spill;        // [size]
  uint32_t* misses[kBins];  // indices of pieces
  uint32_t* ids;          // [totals->ids]
  uint32_t* segment_ids;  // [segment_count + 1] where the ids of a segment begin
  uint8_t* flags;         // [segment_count] 1: encode this segment on the CPU
  Totals* totals;
};

inline constexpr uint32_t kTile = 1024;  // words of `bits`, or pieces, a block

// Room that the arrays above need for `size` bytes of text.
inline constexpr size_t words_of(size_t size) { return (size / 32 + kTile) / kTile * kTile; }
inline constexpr size_t tiles_of(size_t size) { return size / kTile + 2; }
inline constexpr size_t misses_of(size_t size, int bin) { return size / (bin == 0 ? 2 : bin_size(bin - 1) + 1) + 1; }

enum class Stage { clear, classify, mark, gather, lookup, merge, emit, count };
inline constexpr const char* kStageNames[] = {"clear", "classify", "mark", "gather", "lookup", "merge", "emit"};

struct DeviceTables {
  TableView view;
  LearnedView learned;
  const AddedFilter* filter;  // nullptr: nothing to look for
  bool nfc;
  Pattern pattern;
};

// Zeroes what later stages add to.
void launch_clear(const Chunk& c, const cuda::Stream& stream);
// Classes of characters. Flags the segments in which an added token may stand, or which NFC might change.
void launch_classify(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream);
// A bit for each byte at which a piece starts.
void launch_mark(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream);
// The positions of those bits.
void launch_gather(const Chunk& c, const cuda::Stream& stream);
// Pieces of up to 15 bytes in the table of pieces; the others, and those it lacks, into the lists of misses.
void launch_lookup(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream);
// Merges the misses.
void launch_merge(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream);
// Ids one behind the other, and where each segment's begin.
void launch_emit(const Chunk& c, const cuda::Stream& stream);

// All of them.
void launch_encode(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream);

#if defined(__CUDACC__)
// The segment that contains position `at`.
__device__ inline uint32_t segment_of(const Chunk& c, uint32_t at, uint32_t low, uint32_t high) {
  // segments[low] <= at < segments[high]
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    if (c.segments[middle] <= at) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}
__device__ inline uint32_t segment_of(const Chunk& c, uint32_t at) { return segment_of(c, at, 0, c.segment_count); }

// Sum over the threads before this one; `total` receives that of the block. All threads call it; 32 * kWarps threads.
template <int kWarps>
__device__ inline uint32_t block_exclusive_sum(uint32_t value, uint32_t& total) {
  __shared__ uint32_t sums[kWarps];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  uint32_t inclusive = value;
  for (int d = 1; d < 32; d *= 2) {
    const uint32_t other = __shfl_up_sync(0xffffffffu, inclusive, d);
    if (lane >= d) inclusive += other;
  }
  __syncthreads();  // `sums` of an earlier call has been read
  if (lane == 31) sums[warp] = inclusive;
  __syncthreads();
  uint32_t before = 0;
  total = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) before += sums[w];
    total += sums[w];
  }
  return before + inclusive - value;
}
#endif

}  // namespace xcore::tokenizer::gpu
