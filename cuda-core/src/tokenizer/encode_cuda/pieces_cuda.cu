// Ids of pieces: by table, else by merging.
#include "tokenizer/encode_cuda/kernels_cuda.cuh"

namespace xcore::tokenizer::gpu {
namespace {

constexpr int kThreads = 256;
constexpr uint32_t kShort = 32;
constexpr uint32_t kMiddle = 64;

// Adds `value` to a list; the lanes of a warp that have one take their places with one atomic.
__device__ void append(uint32_t* list, uint32_t* count, uint32_t value) {
  const uint32_t peers = __activemask();
  const int lane = threadIdx.x & 31;
  const int leader = __ffs(static_cast<int>(peers)) - 1;
  uint32_t base = 0;
  if (lane == leader) base = atomicAdd(count, __popc(peers));
  base = __shfl_sync(peers, base, leader);
  list[base + __popc(peers & ((1u << lane) - 1))] = value;
}

__global__ void __launch_bounds__(kThreads) lookup_kernel(TableView t, Chunk c) {
  const uint32_t pieces = c.totals->pieces;
  for (uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < pieces; i += gridDim.x * kThreads) {
    const uint32_t start = c.starts[i];
    const uint32_t size = c.starts[i + 1] - start;
    if (size <= static_cast<uint32_t>(kKeyBytes)) {
      const PieceEntry* const e = find_piece(t, key_of(c.text + start, size));
      if (e) {
        if (e->ids[1] == kNone) {
          c.results[i] = e->ids[0];
        } else {
          uint32_t n = 0;
          for (; n < kIdsInEntry && e->ids[n] != kNone; ++n) c.spill[start + n] = e->ids[n];
          c.results[i] = kMany | n;
        }
        continue;
      }
    }
    if (size <= kShort) {
      append(c.misses[0], &c.totals->misses[0], i);
    } else if (size <= kMiddle) {
      append(c.misses[1], &c.totals->misses[1], i);
    } else if (size <= kMaxPiece) {
      append(c.misses[2], &c.totals->misses[2], i);
    } else {
      c.results[i] = kMany;
      c.flags[segment_of(c, start)] = 1;
    }
  }
}

// One thread a piece, its symbols in shared memory, those of a block interleaved.
template <uint32_t kSymbols, int kBlock, int kList>
__global__ void __launch_bounds__(kBlock) merge_kernel(TableView t, Chunk c) {
  __shared__ Symbol symbols[kSymbols * kBlock];
  const uint32_t count = c.totals->misses[kList];
  for (uint32_t k = blockIdx.x * kBlock + threadIdx.x; k < count; k += gridDim.x * kBlock) {
    const uint32_t i = c.misses[kList][k];
    const uint32_t start = c.starts[i];
    const uint32_t size = c.starts[i + 1] - start;
    const uint8_t* const piece = c.text + start;
    if (size > static_cast<uint32_t>(kKeyBytes)) {
      const uint32_t id = find_long(t, piece, size);
      if (id != kNone) {
        c.results[i] = id;
        continue;
      }
    }
    const auto slot = [&](uint32_t s) -> Symbol& { return symbols[s * kBlock + threadIdx.x]; };
    uint64_t alive = merge_short(t, piece, size, slot);
    const auto n = static_cast<uint32_t>(__popcll(alive));
    if (n == 1) {
      c.results[i] = id_of(slot(0));
      continue;
    }
    for (uint32_t out = start; alive; alive &= alive - 1) c.spill[out++] = id_of(slot(__ffsll(static_cast<long long>(alive)) - 1));
    c.results[i] = kMany | n;
  }
}

// One warp a piece of up to kMaxPiece bytes: all lanes look for the lowest rank, two look up the new pairs.
__global__ void __launch_bounds__(32) merge_long_kernel(TableView t, Chunk c) {
  __shared__ Symbol symbols[kMaxPiece];
  __shared__ uint16_t next[kMaxPiece + 1], previous[kMaxPiece + 1];
  constexpr uint32_t kAll = 0xffffffffu;
  constexpr uint16_t kGone = 0xffff;
  const uint32_t lane = threadIdx.x;
  const uint32_t count = c.totals->misses[2];
  for (uint32_t k = blockIdx.x; k < count; k += gridDim.x) {
    const uint32_t i = c.misses[2][k];
    const uint32_t start = c.starts[i];
    const uint32_t size = c.starts[i + 1] - start;
    const uint8_t* const piece = c.text + start;
    uint32_t whole = lane == 0 ? find_long(t, piece, size) : 0;
    whole = __shfl_sync(kAll, whole, 0);
    if (whole != kNone) {
      if (lane == 0) c.results[i] = whole;
      continue;
    }
    for (uint32_t s = lane; s < size; s += 32) {
      const Symbol pair = s + 1 < size ? t.byte_pairs[static_cast<uint32_t>(piece[s]) << 8 | piece[s + 1]] : kApart;
      symbols[s] = pair | t.byte_ids[piece[s]];
      next[s] = static_cast<uint16_t>(s + 1);
      previous[s] = static_cast<uint16_t>(s - 1);
    }
    __syncwarp();
    for (;;) {
      uint32_t lowest = ~0u;  // rank, then position
      for (uint32_t s = lane; s < size; s += 32) {
        const uint32_t r = rank_of(symbols[s]) << 10 | s;
        lowest = r < lowest ? r : lowest;
      }
      lowest = __reduce_min_sync(kAll, lowest);
      if (lowest >> 10 == rank_of(kApart)) break;
      const uint32_t at = lowest & 1023;
      const uint32_t joined = joined_of(symbols[at]);
      const uint32_t gone = next[at];
      const uint32_t right = next[gone];
      const uint32_t left = at == 0 ? kNone : previous[at];
      Symbol fresh = 0;
      if (lane == 0) fresh = (right < size ? find_pair(t, joined, id_of(symbols[right])) : kApart) | joined;
      if (lane == 1 && left != kNone) fresh = find_pair(t, id_of(symbols[left]), joined) | id_of(symbols[left]);
      __syncwarp();
      if (lane == 0) {
        symbols[at] = fresh;
        symbols[gone] = kApart;
        next[gone] = kGone;
        next[at] = static_cast<uint16_t>(right);
        if (right < size) previous[right] = static_cast<uint16_t>(at);
      }
      if (lane == 1 && left != kNone) symbols[left] = fresh;
      __syncwarp();
    }
    uint32_t n = 0;
    for (uint32_t base = 0; base < size; base += 32) {
      const uint32_t s = base + lane;
      const bool alive = s < size && next[s] != kGone;
      const uint32_t mask = __ballot_sync(kAll, alive);
      if (alive) c.spill[start + n + __popc(mask & ((1u << lane) - 1))] = id_of(symbols[s]);
      n += __popc(mask);
    }
    if (lane == 0) c.results[i] = kMany | n;
    __syncwarp();
  }
}

}  // namespace

void launch_lookup(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  // Text has three bytes a piece or more; a denser one goes around again.
  const unsigned blocks = static_cast<unsigned>(c.size / 3 / kThreads + 1);
  lookup_kernel<<<blocks, kThreads, 0, stream>>>(t.view, c);
  XC_CUDA_LAUNCHED("tokenizer.lookup");
}

void launch_merge(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  constexpr int kShortBlock = 128, kMiddleBlock = 64;
  const auto blocks = [&](size_t most, int each) { return static_cast<unsigned>(most / each + 1); };
  // Few of the pieces that might be there are: enough blocks to fill a device, and around again when there are more.
  const unsigned short_blocks = blocks(c.size / 16, kShortBlock);
  merge_kernel<kShort, kShortBlock, 0><<<short_blocks, kShortBlock, 0, stream>>>(t.view, c);
  XC_CUDA_LAUNCHED("tokenizer.merge");
  merge_kernel<kMiddle, kMiddleBlock, 1><<<blocks(c.size / 66, kMiddleBlock), kMiddleBlock, 0, stream>>>(t.view, c);
  XC_CUDA_LAUNCHED("tokenizer.merge");
  const unsigned long_blocks = blocks(c.size, 65 * 16);
  merge_long_kernel<<<long_blocks < 4096 ? long_blocks : 4096, 32, 0, stream>>>(t.view, c);
  XC_CUDA_LAUNCHED("tokenizer.merge_long");
}

void launch_encode(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  launch_clear(c, stream);
  launch_filter(t, c, stream);
  launch_mark(t, c, stream);
  launch_gather(c, stream);
  launch_lookup(t, c, stream);
  launch_merge(t, c, stream);
  launch_emit(c, stream);
}

}  // namespace xcore::tokenizer::gpu
