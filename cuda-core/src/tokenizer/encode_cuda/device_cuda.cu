#include <initializer_list>

#include "tokenizer/encode_cuda/device_cuda.hpp"

namespace xcore::tokenizer::gpu {
namespace {

// Entries of what is learned, 8 MiB of them, and how many are filled at most.
constexpr uint32_t kLearned = 1u << 18;
constexpr uint32_t kLearnedLimit = kLearned / 2;

template <class T>
cuda::Buffer<T> upload(const std::vector<T>& host, const cuda::Stream& stream) {
  return cuda::Buffer<T>::from_host(host.data(), host.size(), stream);
}

}  // namespace

DeviceModel::DeviceModel(const Tables& t, const cuda::Stream& stream)
    : class_block_(upload(t.class_block, stream)),
      classes_(upload(t.classes, stream)),
      long_bytes_(upload(t.long_bytes, stream)),
      pieces_(upload(t.pieces, stream)),
      pairs_(upload(t.pairs, stream)),
      byte_pairs_(upload(t.byte_pairs, stream)),
      byte_ids_(upload(t.byte_ids, stream)),
      longs_(upload(t.longs, stream)),
      filters_(2, stream),
      learned_(kLearned, stream),
      learned_count_(1, stream),
      any_{t.added.count > 0, t.added_ordinary.count > 0},
      nfc_(t.nfc),
      pattern_(t.pattern) {
  const AddedFilter both[2] = {t.added, t.added_ordinary};
  filters_.upload(both, 2);
  forget(stream);
  view_ = t.view();
  view_.classes = {class_block_.data(), classes_.data()};
  view_.pieces = pieces_.data();
  view_.pairs = pairs_.data();
  view_.byte_pairs = byte_pairs_.data();
  view_.byte_ids = byte_ids_.data();
  view_.longs = longs_.data();
  view_.long_bytes = long_bytes_.data();
  stream.synchronize();
}

DeviceTables DeviceModel::tables(uint32_t flags) const {
  const int set = flags & XC_ENCODE_PARSE_SPECIAL ? 0 : 1;
  const LearnedView learned{const_cast<LearnedEntry*>(learned_.data()), kLearned - 1, const_cast<uint32_t*>(learned_count_.data()), kLearnedLimit};
  return {view_, learned, any_[set] ? filters_.data() + set : nullptr, nfc_, pattern_};
}

void DeviceModel::forget(const cuda::Stream& stream) {
  XC_CUDA(cudaMemsetAsync(learned_.data(), 0, kLearned * sizeof(LearnedEntry), stream));
  XC_CUDA(cudaMemsetAsync(learned_count_.data(), 0, sizeof(uint32_t), stream));
}

void DeviceModel::tidy(const cuda::Stream& stream) {
  uint32_t count = 0;
  learned_count_.download(&count, 1);
  stream.synchronize();
  if (count < kLearnedLimit) return;
  forget(stream);
  stream.synchronize();
}

ChunkMemory::ChunkMemory(uint32_t capacity, uint32_t most_segments, const cuda::Stream& stream)
    : text_(capacity + kPad, stream),
      info_(capacity + kPad, stream),
      flags_(most_segments, stream),
      segments_(most_segments + 1, stream),
      bits_(words_of(capacity), stream),
      tiles_(tiles_of(capacity), stream),
      starts_(size_t{capacity} + 1, stream),
      results_(capacity, stream),
      spill_(capacity, stream),
      ids_(capacity, stream),
      segment_ids_(most_segments + 1, stream),
      totals_(1, stream) {
  for (int i = 0; i < kBins; ++i) misses_[i] = cuda::Buffer<uint32_t>(misses_of(capacity, i), stream);
}

Chunk ChunkMemory::chunk(uint32_t size, uint32_t segments) {
  Chunk c{text_.data(), info_.data(), segments_.data(), size, segments, bits_.data(), tiles_.data(), starts_.data(), results_.data(), spill_.data(),
          {}, ids_.data(), segment_ids_.data(), flags_.data(), totals_.data()};
  for (int i = 0; i < kBins; ++i) c.misses[i] = misses_[i].data();
  return c;
}

size_t ChunkMemory::bytes(uint32_t capacity, uint32_t most_segments) {
  size_t words = words_of(capacity) + tiles_of(capacity) + 4 * size_t{capacity} + 2 * size_t{most_segments};
  for (int i = 0; i < kBins; ++i) words += misses_of(capacity, i);
  return words * sizeof(uint32_t) + 2 * (size_t{capacity} + kPad) + most_segments + sizeof(Totals);
}

}  // namespace xcore::tokenizer::gpu
