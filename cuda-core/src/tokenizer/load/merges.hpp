// Merges of a vocabulary on their way into its table of pairs. Each takes three strings to their ids, which waits for
// memory nine times; so they are taken a batch at a time, and each wait is for all of a batch.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

class MergeReader {
 public:
  explicit MergeReader(Model& model) : model_(model) {}

  // "left right", which must stay where they are until flush(). Of a pair that comes twice the first counts. False when a
  // token is missing: message() and rank() then say which and where.
  bool add(std::string_view left, std::string_view right, uint32_t rank) {
    Merge& m = merges_[count_++];
    m.parts[0] = left;
    m.parts[1] = right;
    m.joined.assign(left).append(right);
    m.parts[2] = m.joined;
    m.rank = rank;
    return count_ < kTogether || flush();
  }
  bool flush();
  const std::string& message() const { return message_; }
  uint32_t rank() const { return rank_; }

 private:
  static constexpr size_t kTogether = 32;
  struct Merge {
    std::string_view parts[3];  // left, right, joined
    std::string joined;
    uint64_t hashes[3];
    uint32_t ids[3];
    uint32_t rank;
  };
  Model& model_;
  size_t count_ = 0;
  Merge merges_[kTogether];
  std::string message_;
  uint32_t rank_ = 0;
};

}  // namespace xcore::tokenizer
