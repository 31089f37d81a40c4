// What lives on a device: the tables of a model, and the memory of a chunk.
#pragma once

#include "tokenizer/encode_cuda/kernels_cuda.cuh"
#include "tokenizer/encode_cuda/tables.hpp"

namespace xcore::tokenizer::gpu {

class DeviceModel {
 public:
  // Returns when the tables are there.
  DeviceModel(const Tables& tables, const cuda::Stream& stream);
  // What the kernels look for under the flags of a call (XC_ENCODE_*).
  DeviceTables tables(uint32_t flags) const;
  // Forgets what was learned once that fills its table. No kernel may be under way.
  void tidy(const cuda::Stream& stream);

 private:
  void forget(const cuda::Stream& stream);

  cuda::Buffer<uint16_t> class_block_;
  cuda::Buffer<uint8_t> classes_, long_bytes_;
  cuda::Buffer<PieceEntry> pieces_;
  cuda::Buffer<PairEntry> pairs_;
  cuda::Buffer<Joint> byte_pairs_;
  cuda::Buffer<uint32_t> byte_ids_;
  cuda::Buffer<LongEntry> longs_;
  cuda::Buffer<AddedFilter> filters_;  // all added tokens; those that are not special
  cuda::Buffer<LearnedEntry> learned_;
  cuda::Buffer<uint32_t> learned_count_;
  bool any_[2];
  TableView view_;
  bool nfc_;
  Pattern pattern_;
};

class ChunkMemory {
 public:
  ChunkMemory(uint32_t capacity, uint32_t most_segments, const cuda::Stream& stream);
  Chunk chunk(uint32_t size, uint32_t segments);
  static size_t bytes(uint32_t capacity, uint32_t most_segments);

 private:
  cuda::Buffer<uint8_t> text_, info_, flags_;
  cuda::Buffer<uint32_t> segments_, bits_, tiles_, starts_, results_, spill_, ids_, segment_ids_;
  cuda::Buffer<uint32_t> misses_[kBins];
  cuda::Buffer<Totals> totals_;
};

}  // namespace xcore::tokenizer::gpu
