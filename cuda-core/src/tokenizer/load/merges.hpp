// Merges of a vocabulary on their way from strings to ids, by all threads.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "runtime/thread_pool.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

// Each merge takes three strings to their ids, which waits for memory nine times; so they are taken a batch at a time, and
// each wait is for all of a batch.
class MergeReader {
 public:
  // The merge of rank r goes to out[r].
  MergeReader(const Model& model, PairTable::Entry* out) : model_(model), out_(out) {}

  // "left right", joined without the prefix that characters inside of a piece have. The two must stay where they are until flush(). False when a token is missing: message() and rank() then say
  // which and where.
  bool add(std::string_view left, std::string_view right, uint32_t rank) {
    Merge& m = merges_[count_++];
    m.parts[0] = left;
    m.parts[1] = right;
    m.joined.assign(left).append(right, model_.affixes.prefix.size());
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
  const Model& model_;
  PairTable::Entry* const out_;
  size_t count_ = 0;
  Merge merges_[kTogether];
  std::string message_;
  uint32_t rank_ = 0;
};

// Fills model.merges with `count` of them. split(rank, left, right) gives the two parts of one, or says what is wrong with it;
// else it returns nullptr. fail(rank, message) is called for the first that is wrong, and must throw.
template <class Split, class Fail>
void read_merges(Model& model, uint32_t count, Split&& split, Fail&& fail) {
  Large<PairTable::Entry> merges(count);
  const size_t model_prefix = model.affixes.prefix.size();
  std::mutex mutex;  // guards the next two
  uint32_t wrong = kNoId;
  std::string message;
  const auto note = [&](uint32_t rank, std::string what) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (rank >= wrong) return;
    wrong = rank;
    message = std::move(what);
  };
  thread_pool().parallel_for(count, 4096, [&](int64_t begin, int64_t end) {
    MergeReader reader(model, merges.data());
    std::string_view left, right;
    for (auto rank = static_cast<uint32_t>(begin); rank < static_cast<uint32_t>(end); ++rank) {
      const char* what = split(rank, left, right);
      if (!what && right.size() < model_prefix) what = "the second token is shorter than continuing_subword_prefix";
      if (what) {
        note(rank, what);
        break;
      }
      if (!reader.add(left, right, rank)) return note(reader.rank(), reader.message());
    }
    if (!reader.flush()) note(reader.rank(), reader.message());
  });
  if (wrong != kNoId) fail(wrong, message);
  model.merges = std::move(merges);
}

}  // namespace xcore::tokenizer
