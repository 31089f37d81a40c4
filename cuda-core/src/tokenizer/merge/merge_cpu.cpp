#include <algorithm>
#include <cstring>
#include <functional>

#include "tokenizer/merge/merge.hpp"

namespace xcore::tokenizer {
namespace {

constexpr size_t kShort = 32;

// All ranks side by side on the stack; after a merge only two of them change.
size_t merge_short(const PairTable& pairs, uint32_t* ids, size_t count) {
  uint32_t rank[kShort];
  uint32_t joined[kShort];
  const auto look = [&](size_t i) {
    const auto& e = pairs.find(ids[i], ids[i + 1]);
    rank[i] = e.rank;
    joined[i] = e.joined;
  };
  for (size_t i = 0; i + 1 < count; ++i) look(i);
  while (count > 1) {
    uint32_t lowest = kNoRank;
    size_t at = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (rank[i] < lowest) {
        lowest = rank[i];
        at = i;
      }
    }
    if (lowest == kNoRank) break;
    ids[at] = joined[at];
    std::memmove(ids + at + 1, ids + at + 2, (count - at - 2) * sizeof *ids);
    if (at + 2 < count) {
      std::memmove(rank + at + 1, rank + at + 2, (count - at - 2) * sizeof *rank);
      std::memmove(joined + at + 1, joined + at + 2, (count - at - 2) * sizeof *joined);
    }
    --count;
    if (at + 1 < count) look(at);
    if (at > 0) look(at - 1);
  }
  return count;
}

// A linked list of symbols and a heap of (rank, position). A heap entry is stale when the pair at its position has
// another rank by now.
size_t merge_long(const PairTable& pairs, uint32_t* ids, size_t count, MergeScratch& s) {
  const auto n = static_cast<uint32_t>(count);
  s.next.resize(n);
  s.previous.resize(n);
  s.rank.resize(n);
  s.joined.resize(n);
  s.heap.clear();
  const auto look = [&](uint32_t i) {
    if (s.next[i] >= n) {
      s.rank[i] = kNoRank;
      return;
    }
    const auto& e = pairs.find(ids[i], ids[s.next[i]]);
    s.rank[i] = e.rank;
    s.joined[i] = e.joined;
    if (e.rank != kNoRank) s.heap.push_back(static_cast<uint64_t>(e.rank) << 32 | i);
  };
  for (uint32_t i = 0; i < n; ++i) {
    s.next[i] = i + 1;
    s.previous[i] = i - 1;
  }
  for (uint32_t i = 0; i < n; ++i) look(i);
  const std::greater<uint64_t> order;
  std::make_heap(s.heap.begin(), s.heap.end(), order);
  const auto look_and_push = [&](uint32_t i) {
    const size_t before = s.heap.size();
    look(i);
    if (s.heap.size() != before) std::push_heap(s.heap.begin(), s.heap.end(), order);
  };
  while (!s.heap.empty()) {
    const uint64_t top = s.heap.front();
    std::pop_heap(s.heap.begin(), s.heap.end(), order);
    s.heap.pop_back();
    const auto i = static_cast<uint32_t>(top);
    if (s.rank[i] != top >> 32) continue;
    const uint32_t gone = s.next[i];
    ids[i] = s.joined[i];
    s.rank[gone] = kNoRank;
    s.next[i] = s.next[gone];
    if (s.next[i] < n) s.previous[s.next[i]] = i;
    look_and_push(i);
    if (s.previous[i] < n) look_and_push(s.previous[i]);
  }
  size_t out = 0;
  for (uint32_t i = 0; i < n; i = s.next[i]) ids[out++] = ids[i];
  return out;
}

}  // namespace

void PairTable::reserve(size_t pairs) {
  size_t capacity = 16;
  while (capacity < pairs * 2) capacity *= 2;
  Flat<Entry> old(capacity, Entry{0, 0, kNoRank, 0});
  std::swap(old, entries_);
  mask_ = capacity - 1;
  size_ = 0;
  for (size_t i = 0; i < old.size(); ++i) {
    const Entry& e = old[i];
    if (e.rank != kNoRank) insert(e.left, e.right, e.rank, e.joined);
  }
}

bool PairTable::insert(uint32_t left, uint32_t right, uint32_t rank, uint32_t joined) {
  if ((size_ + 1) * 2 > entries_.size()) reserve(size_ * 2 + 8);
  const Entry& place = find(left, right);
  if (place.rank != kNoRank) return false;
  entries_.writable()[&place - entries_.data()] = {left, right, rank, joined};
  ++size_;
  return true;
}

size_t merge(const PairTable& pairs, uint32_t* ids, size_t count, MergeScratch& scratch) {
  if (count < 2) return count;
  return count <= kShort ? merge_short(pairs, ids, count) : merge_long(pairs, ids, count, scratch);
}

}  // namespace xcore::tokenizer
