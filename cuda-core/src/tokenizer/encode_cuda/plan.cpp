#include "tokenizer/encode_cuda/plan.hpp"

#include <algorithm>

namespace xcore::tokenizer::gpu {

// Before p: a certain start, hence behind something that is not white space, so that no lookahead of the piece before
// sees the difference. No added token may stand around, and for NFC nothing may join across.
bool Planner::may_cut(const uint8_t* begin, const uint8_t* p, const uint8_t* end) const {
  const ClassView classes{tables_.class_block.data(), tables_.classes.data()};
  uint8_t kind;
  const Info around_p[2] = {info_at(classes, begin, p - 1, end, kind), info_at(classes, begin, p, end, kind)};
  if (!Scanner(p - 1, around_p, kNone, kNone).certain_start<Pattern::none>(1)) return false;  // what holds for all patterns
  if (tables_.nfc && (p[0] >= 0x80 || p[-1] >= 0x80)) return false;
  const auto around = static_cast<ptrdiff_t>(tables_.longest_added + 1);
  for (const uint8_t* q = p - std::min(around, p - begin); q < p + std::min(around, end - p); ++q) {
    uint8_t text[8] = {};
    std::memcpy(text, q, static_cast<size_t>(std::min<ptrdiff_t>(8, end - q)));
    if (may_begin_added(added_, text)) return false;
  }
  return true;
}

size_t Planner::part_size(const xc_text& text, size_t from) const {
  const size_t left = text.size - from;
  if (left <= kPart + kPart / 2) return left;
  const auto* const begin = reinterpret_cast<const uint8_t*>(text.data) + from;
  const uint8_t* const end = begin + left;
  for (const uint8_t* p = begin + kPart; p < end; ++p) {
    if (may_cut(begin, p, end)) return static_cast<size_t>(p - begin);
  }
  return left;
}

bool Planner::next(PlannedChunk& chunk) {
  const std::lock_guard<std::mutex> lock(mutex_);
  chunk.parts.clear();
  chunk.device_bytes = chunk.device_parts = 0;
  if (text_ == count_) return false;
  chunk.index = chunks_++;
  const size_t least = std::min<size_t>(capacity_, kLongest);
  const size_t capacity = std::clamp<size_t>(left_ / shares_, least, capacity_);
  size_t host_bytes = 0;
  while (text_ < count_ && chunk.parts.size() < most_parts_ && host_bytes < capacity) {
    const xc_text& text = texts_[text_];
    const size_t size = part_size(text, from_);
    // Classes are found without regard to segments, so none may begin in what could be the middle of a character.
    const bool on_device = size > 0 && size <= kLongest && size <= capacity && (text.data[from_] & 0xc0) != 0x80;
    if (on_device && size > capacity - chunk.device_bytes) break;  // never the first of its chunk
    chunk.parts.push_back({text.data + from_, 0, on_device, from_ == 0, from_ + size == text.size, text_});
    chunk.parts.back().size = static_cast<uint32_t>(size);
    if (on_device) {
      chunk.device_bytes += static_cast<uint32_t>(size);
      ++chunk.device_parts;
    } else {
      host_bytes += size;
    }
    from_ += size;
    left_ -= size;
    if (from_ == text.size) {
      ++text_;
      from_ = 0;
    }
  }
  return true;
}

}  // namespace xcore::tokenizer::gpu
