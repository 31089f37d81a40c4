// Merging sequences of any length.
//
// In a monotone table a merge makes only pairs of higher rank, so ranks can be worked off from low to high, each in one
// pass from left to right over the places where it was seen. The places wait in one list a rank; which lists are not
// empty is kept in a bitmap of three levels. No comparison-based queue is left, and the memory is walked in order.
#include <algorithm>
#include <functional>

#include "tokenizer/merge/merge_tables.hpp"

namespace xcore::tokenizer {
namespace {

constexpr uint32_t kNone = 0xffffffffu;

}  // namespace

void RankSet::reserve(size_t ranks) {
  if (ranks <= size_) return;
  size_ = ranks;
  for (auto& level : levels_) {
    ranks = ranks / 64 + 1;
    level.assign(ranks, 0);
  }
}

void RankSet::insert(uint32_t rank) {
  for (auto& level : levels_) {
    level[rank / 64] |= uint64_t{1} << rank % 64;
    rank /= 64;
  }
}

void RankSet::erase(uint32_t rank) {
  for (auto& level : levels_) {
    if (level[rank / 64] &= ~(uint64_t{1} << rank % 64)) return;
    rank /= 64;
  }
}

uint32_t RankSet::first() const {
  // The top level has at most 2^24 / 64^3 words.
  for (size_t top = 0; top < levels_[2].size(); ++top) {
    if (!levels_[2][top]) continue;
    size_t at = top;
    for (int level = 2; level >= 0; --level) at = at * 64 + static_cast<size_t>(__builtin_ctzll(levels_[level][at]));
    return static_cast<uint32_t>(at);
  }
  return kNoRank;
}

size_t MergeTables::merge_buckets(uint32_t* ids, size_t count, MergeScratch& s) const {
  const auto n = static_cast<uint32_t>(count);
  if (s.first.size() < joined_.size()) s.first.resize(joined_.size(), kNone);
  s.waiting.reserve(joined_.size());
  // Nothing below can fail, so that all lists are empty again at the end.
  if (s.columns.size() < size_t{6} * n) s.columns = Flat<uint32_t>::uninitialised(size_t{6} * n);
  uint32_t* const next = s.columns.writable();  // of the sequence
  uint32_t* const previous = next + n;
  uint32_t* const ranks = previous + n;  // of the pair that starts here
  uint32_t* const after = ranks + n;     // in the list of its rank
  uint32_t* const before = after + n;
  uint32_t* const pass = before + n;
  const auto leave = [&](uint32_t i) {
    const uint32_t r = ranks[i];
    if (r == kNoRank) return;
    if (after[i] != kNone) before[after[i]] = before[i];
    if (before[i] != kNone) {
      after[before[i]] = after[i];
    } else if ((s.first[r] = after[i]) == kNone) {
      s.waiting.erase(r);
    }
  };
  const auto look = [&](uint32_t i) {
    const uint32_t r = next[i] < n ? rank(ids[i], ids[next[i]]) : kNoRank;
    ranks[i] = r;
    if (r == kNoRank) return;
    uint32_t& first = s.first[r];
    if (first == kNone) {
      s.waiting.insert(r);
    } else {
      before[first] = i;
    }
    after[i] = first;
    before[i] = kNone;
    first = i;
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  for (uint32_t i = 0; i < n; ++i) look(i);
  for (uint32_t r; (r = s.waiting.first()) != kNoRank;) {
    size_t size = 0;
    for (uint32_t k = s.first[r]; k != kNone; k = after[k]) pass[size++] = k;
    std::reverse(pass, pass + size);  // the lists grow at their heads
    if (!std::is_sorted(pass, pass + size)) std::sort(pass, pass + size);
    s.first[r] = kNone;
    s.waiting.erase(r);
    for (size_t k = 0; k < size; ++k) {
      const uint32_t i = pass[k];
      if (ranks[i] != r) continue;  // taken by the pair on its left
      const uint32_t gone = next[i];
      if (ranks[gone] != r) leave(gone);
      ranks[gone] = kNoRank;
      ids[i] = joined_[r];
      next[i] = next[gone];
      if (next[i] < n) previous[next[i]] = i;
      look(i);
      const uint32_t left = previous[i];
      if (left < n) {
        if (ranks[left] != r) leave(left);
        look(left);
      }
    }
  }
  size_t out = 0;
  for (uint32_t i = 0; i < n; i = next[i]) ids[out++] = ids[i];
  return out;
}

// For tables in which a merge can make a pair of lower rank: a heap of (rank, position). An entry is stale when the pair
// at its position has another rank by now.
size_t MergeTables::merge_heap(uint32_t* ids, size_t count, MergeScratch& s) const {
  const auto n = static_cast<uint32_t>(count);
  s.next.resize(n);
  s.previous.resize(n);
  s.rank.resize(n);
  s.heap.clear();
  const std::greater<uint64_t> order;
  bool building = true;
  const auto look = [&](uint32_t i) {
    const uint32_t r = s.next[i] < n ? rank(ids[i], ids[s.next[i]]) : kNoRank;
    s.rank[i] = r;
    if (r == kNoRank) return;
    s.heap.push_back(static_cast<uint64_t>(r) << 32 | i);
    if (!building) std::push_heap(s.heap.begin(), s.heap.end(), order);
  };
  for (uint32_t i = 0; i < n; ++i) {
    s.next[i] = i + 1;
    s.previous[i] = i - 1;
  }
  for (uint32_t i = 0; i < n; ++i) look(i);
  std::make_heap(s.heap.begin(), s.heap.end(), order);
  building = false;
  while (!s.heap.empty()) {
    const uint64_t top = s.heap.front();
    std::pop_heap(s.heap.begin(), s.heap.end(), order);
    s.heap.pop_back();
    const auto i = static_cast<uint32_t>(top);
    if (s.rank[i] != top >> 32) continue;
    const uint32_t gone = s.next[i];
    ids[i] = joined_[s.rank[i]];
    s.rank[gone] = kNoRank;
    s.next[i] = s.next[gone];
    if (s.next[i] < n) s.previous[s.next[i]] = i;
    look(i);
    if (s.previous[i] < n) look(s.previous[i]);
  }
  size_t out = 0;
  for (uint32_t i = 0; i < n; i = s.next[i]) ids[out++] = ids[i];
  return out;
}

}  // namespace xcore::tokenizer
