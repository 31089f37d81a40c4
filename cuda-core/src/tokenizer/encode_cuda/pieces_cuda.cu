// Ids of pieces: by table, else by merging.
#include "tokenizer/encode_cuda/kernels_cuda.cuh"

namespace xcore::tokenizer::gpu {
namespace {

constexpr int kThreads = 256;
__device__ int bin_of(uint32_t size) {
  int bin = 0;
#pragma unroll
  for (int b = 0; b + 1 < kBins; ++b) bin += size > bin_size(b);
  return bin;
}

// Adds a piece to the list of a bin; the lanes of a warp that have one for the same bin take places with one atomic.
__device__ void append(const Chunk& c, int bin, uint32_t piece) {
  const uint32_t peers = __match_any_sync(__activemask(), bin);
  const int lane = threadIdx.x & 31;
  const int leader = __ffs(static_cast<int>(peers)) - 1;
  uint32_t base = 0;
  if (lane == leader) base = atomicAdd(&c.totals->misses[bin], __popc(peers));
  base = __shfl_sync(peers, base, leader);
  c.misses[bin][base + __popc(peers & ((1u << lane) - 1))] = piece;
}

__global__ void __launch_bounds__(kThreads) lookup_kernel(TableView t, LearnedView learned, Chunk c) {
  const uint32_t pieces = c.totals->pieces;
  for (uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < pieces; i += gridDim.x * kThreads) {
    const uint32_t start = c.starts[i];
    const uint32_t size = c.starts[i + 1] - start;
    if (size <= static_cast<uint32_t>(kKeyBytes)) {
      const Key key = key_of(c.text + start, size);
      const PieceEntry* const e = find_piece(t, key);
      if (e) {
        c.results[i] = e->id;
        continue;
      }
      const uint32_t n = find_learned(learned, key, c.spill + start);
      if (n > 0) {
        c.results[i] = kMany | n;
        continue;
      }
    }
    if (size > kMaxPiece) {
      c.results[i] = kMany;
      c.flags[segment_of(c, start)] = 1;
      continue;
    }
    append(c, bin_of(size), i);
  }
}

// Threads of a block that merge pieces of a bin: as many as have their symbols in 24 KiB of shared memory.
constexpr int threads_for(int bin) { return bin <= 1 ? 128 : bin == 2 ? 64 : 32; }

// One thread a piece, the symbols of a block interleaved so that lanes never meet in a bank.
template <int kBin>
__global__ void __launch_bounds__(threads_for(kBin)) merge_kernel(TableView t, LearnedView learned, Chunk c) {
  constexpr uint32_t kSymbols = bin_size(kBin);
  constexpr int kBlock = threads_for(kBin);
  __shared__ uint32_t keys[kSymbols * kBlock], joined[kSymbols * kBlock], ids[kSymbols * kBlock];
  struct Slots {
    uint32_t *keys, *joins, *ids;
    __device__ uint32_t& key(uint32_t i) const { return keys[i * kBlock]; }
    __device__ uint32_t& joined(uint32_t i) const { return joins[i * kBlock]; }
    __device__ uint32_t& id(uint32_t i) const { return ids[i * kBlock]; }
  };
  const Slots slots{keys + threadIdx.x, joined + threadIdx.x, ids + threadIdx.x};
  const uint32_t count = c.totals->misses[kBin];
  for (uint32_t k = blockIdx.x * kBlock + threadIdx.x; k < count; k += gridDim.x * kBlock) {
    const uint32_t i = c.misses[kBin][k];
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
    uint64_t alive = merge_short<kSymbols>(t, piece, size, slots);
    const auto n = static_cast<uint32_t>(__popcll(alive));
    if (n == 1) {
      c.results[i] = slots.id(0);
      continue;
    }
    for (uint32_t out = start; alive; alive &= alive - 1) c.spill[out++] = slots.id(static_cast<uint32_t>(lowest_bit(alive)));
    c.results[i] = kMany | n;
    if (kBin <= 1 && size <= static_cast<uint32_t>(kKeyBytes)) learn(learned, key_of(piece, size), n, [&](uint32_t k) { return c.spill[start + k]; });
  }
}

// One warp a piece. Every lane knows the lowest of its own symbols, those at its place and every 32 on; a merge changes
// three symbols, so three lanes look anew. Two lanes look up the two new pairs.
template <int kBin, int kWarps>
__global__ void __launch_bounds__(32 * kWarps) merge_long_kernel(TableView t, Chunk c) {
  constexpr uint32_t kSymbols = bin_size(kBin);
  constexpr uint32_t kAll = 0xffffffffu;
  constexpr uint16_t kGone = 0xffff;
  struct Symbols {
    uint32_t key[kSymbols], joined[kSymbols], id[kSymbols];  // key: rank, then position
    uint16_t next[kSymbols], previous[kSymbols];
  };
  static_assert(kSymbols <= 1024, "a position has 10 bits");
  __shared__ Symbols all[kWarps];
  Symbols& symbols = all[threadIdx.x / 32];
  const uint32_t lane = threadIdx.x & 31;
  const uint32_t count = c.totals->misses[kBin];
  const auto set = [&](uint32_t s, const Joint& j) {
    symbols.key[s] = j.rank == kApart ? kApart : j.rank << 10 | s;
    symbols.joined[s] = j.joined;
  };
  for (uint32_t k = blockIdx.x * kWarps + threadIdx.x / 32; k < count; k += gridDim.x * kWarps) {
    const uint32_t i = c.misses[kBin][k];
    const uint32_t start = c.starts[i];
    const uint32_t size = c.starts[i + 1] - start;
    const uint8_t* const piece = c.text + start;
    uint32_t whole = lane == 0 ? find_long(t, piece, size) : 0;
    whole = __shfl_sync(kAll, whole, 0);
    if (whole != kNone) {
      if (lane == 0) c.results[i] = whole;
      continue;
    }
    const auto lowest_of_lane = [&] {
      uint32_t lowest = kApart;
      for (uint32_t s = lane; s < size; s += 32) lowest = symbols.key[s] < lowest ? symbols.key[s] : lowest;
      return lowest;
    };
    for (uint32_t s = lane; s < size; s += 32) {
      set(s, s + 1 < size ? t.byte_pairs[static_cast<uint32_t>(piece[s]) << 8 | piece[s + 1]] : Joint{kApart, 0});
      symbols.id[s] = t.byte_ids[piece[s]];
      symbols.next[s] = static_cast<uint16_t>(s + 1);
      symbols.previous[s] = static_cast<uint16_t>(s - 1);
    }
    uint32_t own = lowest_of_lane();
    __syncwarp();
    for (;;) {
      const uint32_t lowest = __reduce_min_sync(kAll, own);
      if (lowest == kApart) break;
      const uint32_t at = lowest & 1023;
      const uint32_t joined = symbols.joined[at];
      const uint32_t gone = symbols.next[at];
      const uint32_t right = symbols.next[gone];
      const uint32_t left = at == 0 ? kNone : symbols.previous[at];
      Joint fresh{kApart, 0};
      if (lane == 0 && right < size) fresh = find_pair(t, joined, symbols.id[right]);
      if (lane == 1 && left != kNone) fresh = find_pair(t, symbols.id[left], joined);
      __syncwarp();
      if (lane == 0) {
        symbols.id[at] = joined;
        set(at, fresh);
        symbols.key[gone] = kApart;
        symbols.next[gone] = kGone;
        symbols.next[at] = static_cast<uint16_t>(right);
        if (right < size) symbols.previous[right] = static_cast<uint16_t>(at);
      }
      if (lane == 1 && left != kNone) set(left, fresh);
      __syncwarp();
      if (lane == (at & 31) || lane == (gone & 31) || (left != kNone && lane == (left & 31))) own = lowest_of_lane();
    }
    uint32_t n = 0;
    for (uint32_t base = 0; base < size; base += 32) {
      const uint32_t s = base + lane;
      const bool alive = s < size && symbols.next[s] != kGone;
      const uint32_t mask = __ballot_sync(kAll, alive);
      if (alive) c.spill[start + n + __popc(mask & ((1u << lane) - 1))] = symbols.id[s];
      n += __popc(mask);
    }
    if (lane == 0) c.results[i] = kMany | n;
    __syncwarp();
  }
}

// Not nearly as many blocks as there might be pieces: enough to fill a device, and around again when there are more.
template <int kBin>
void launch_bin(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  constexpr int kBlock = threads_for(kBin);
  const auto blocks = static_cast<unsigned>(misses_of(c.size, kBin) / (kBin <= 1 ? 8 : 4) / kBlock + 1);
  merge_kernel<kBin><<<blocks, kBlock, 0, stream>>>(t.view, t.learned, c);
  XC_CUDA_LAUNCHED("tokenizer.merge");
}
template <int kBin, int kWarps>
void launch_long_bin(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  const auto blocks = static_cast<unsigned>(misses_of(c.size, kBin) / 8 / kWarps + 1);
  merge_long_kernel<kBin, kWarps><<<blocks, 32 * kWarps, 0, stream>>>(t.view, c);
  XC_CUDA_LAUNCHED("tokenizer.merge_long");
}

}  // namespace

void launch_lookup(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  // Text has three bytes a piece or more; a denser one goes around again.
  const unsigned blocks = static_cast<unsigned>(c.size / 3 / kThreads + 1);
  lookup_kernel<<<blocks, kThreads, 0, stream>>>(t.view, t.learned, c);
  XC_CUDA_LAUNCHED("tokenizer.lookup");
}

void launch_merge(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  launch_long_bin<5, 1>(t, c, stream);
  launch_long_bin<4, 4>(t, c, stream);
  launch_bin<3>(t, c, stream);
  launch_bin<2>(t, c, stream);
  launch_bin<1>(t, c, stream);
  launch_bin<0>(t, c, stream);
}

void launch_encode(const DeviceTables& t, const Chunk& c, const cuda::Stream& stream) {
  launch_clear(c, stream);
  launch_classify(t, c, stream);
  launch_mark(t, c, stream);
  launch_gather(c, stream);
  launch_lookup(t, c, stream);
  launch_merge(t, c, stream);
  launch_emit(c, stream);
}

}  // namespace xcore::tokenizer::gpu
