// A batch of texts cut into chunks for the device: long texts in parts that can be encoded by themselves, many short
// texts together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "tokenizer/encode_cuda/tables.hpp"

namespace xcore::tokenizer::gpu {

// A text, or a part of one: encoding the parts gives the ids of the whole.
struct Part {
  const char* data;
  uint32_t size;
  bool on_device;  // false: empty, without a place to cut for too long, or begun by a stray byte
  bool opens;      // first part of its text
  bool closes;     // last part
  size_t text;     // index in the batch
};

struct PlannedChunk {
  size_t index = 0;
  std::vector<Part> parts;
  uint32_t device_bytes = 0;
  uint32_t device_parts = 0;
};

class Planner {
 public:
  static constexpr size_t kPart = size_t{64} << 10;    // a longer text is cut at the first good place after this
  static constexpr size_t kLongest = size_t{1} << 20;  // parts that grew beyond are encoded on the CPU

  // `bytes`: of all texts. Chunks are of `capacity` bytes, and towards the end of what is left divided by `shares`, but of
  // kLongest at least: so that the last ones end together.
  Planner(const Tables& tables, const AddedFilter& added, const xc_text* texts, size_t count, size_t bytes, uint32_t capacity, size_t shares,
          uint32_t most_parts)
      : tables_(tables), added_(added), texts_(texts), count_(count), left_(bytes), capacity_(capacity), shares_(shares), most_parts_(most_parts) {}

  // The next chunk; false when there is none. Chunks are numbered in the order of the texts. From any thread.
  bool next(PlannedChunk& chunk);
  bool exhausted() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return text_ == count_;
  }

 private:
  size_t part_size(const xc_text& text, size_t from) const;
  bool may_cut(const uint8_t* begin, const uint8_t* p, const uint8_t* end) const;

  const Tables& tables_;
  const AddedFilter& added_;
  const xc_text* texts_;
  size_t count_, left_;
  uint32_t capacity_;
  size_t shares_;
  uint32_t most_parts_;
  std::mutex mutex_;
  size_t text_ = 0, from_ = 0, chunks_ = 0;
};

}  // namespace xcore::tokenizer::gpu
