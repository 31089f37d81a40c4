// Merging sequences of any length.
//
// Ranks are worked off from low to high, each in one pass from left to right over the places where it was seen. The
// places wait in one list a rank; which lists are not empty is kept in a bitmap of three levels. No comparison-based
// queue over all places is left, and the memory is walked in order.
//
// In a table as training makes it, a merge makes only pairs of higher rank. In others (rank files, vocabularies that were
// pruned or joined) it can make a pair of a rank that the passes have gone by. Such a pair is lower than all that wait,
// or equal to those of the pass and further left: a merge at a place makes pairs that begin there or before. So it is
// next, whatever else there is, and a small heap of such pairs is emptied before the pass goes on.
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

size_t MergeTables::merge_long(uint32_t* ids, size_t count, MergeScratch& s) const {
  const auto n = static_cast<uint32_t>(count);
  if (s.first.size() < joined_.size()) s.first.resize(joined_.size(), kNone);
  s.waiting.reserve(joined_.size());
  std::vector<uint64_t>& heap = s.heap;  // (rank, place)
  heap.clear();
  // Empty before each merge of the pass; a merge makes two pairs at most, and takes one out when it came from here.
  if (!monotone_) heap.reserve(size_t{n} + 1);
  // Nothing below can fail, so that all lists are empty again at the end.
  if (s.columns.size() < size_t{6} * n) s.columns = Flat<uint32_t>::uninitialised(size_t{6} * n);
  uint32_t* const next = s.columns.writable();  // of the sequence
  uint32_t* const previous = next + n;
  uint32_t* const ranks = previous + n;  // of the pair that starts here
  uint32_t* const after = ranks + n;     // in the list of its rank
  uint32_t* const before = after + n;
  uint32_t* const pass = before + n;
  const std::greater<uint64_t> order;
  uint32_t now = 0;  // ranks up to this are in no list: in the pass, or in the heap
  bool passing = false;
  const auto leave = [&](uint32_t i) {
    const uint32_t r = ranks[i];
    if (r == kNoRank || (passing && r <= now)) return;
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
    if (passing && r <= now) {
      heap.push_back(static_cast<uint64_t>(r) << 32 | i);
      std::push_heap(heap.begin(), heap.end(), order);
      return;
    }
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
  const auto join = [&](uint32_t i) {
    const uint32_t gone = next[i];
    leave(gone);
    ids[i] = joined_[ranks[i]];
    ranks[gone] = kNoRank;
    next[i] = next[gone];
    if (next[i] < n) previous[next[i]] = i;
    look(i);
    const uint32_t left = previous[i];
    if (left < n) {
      leave(left);
      look(left);
    }
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  for (uint32_t i = 0; i < n; ++i) look(i);
  passing = true;
  while ((now = s.waiting.first()) != kNoRank) {
    size_t size = 0;
    for (uint32_t k = s.first[now]; k != kNone; k = after[k]) pass[size++] = k;
    std::reverse(pass, pass + size);  // the lists grow at their heads
    if (!std::is_sorted(pass, pass + size)) std::sort(pass, pass + size);
    s.first[now] = kNone;
    s.waiting.erase(now);
    for (size_t k = 0; k < size; ++k) {
      if (ranks[pass[k]] == now) join(pass[k]);  // else taken by a pair on its left
      while (!heap.empty()) {
        const uint64_t top = heap.front();
        std::pop_heap(heap.begin(), heap.end(), order);
        heap.pop_back();
        const auto i = static_cast<uint32_t>(top);
        if (ranks[i] == top >> 32) join(i);  // else it has another pair by now
      }
    }
  }
  size_t out = 0;
  for (uint32_t i = 0; i < n; i = next[i]) ids[out++] = ids[i];
  return out;
}

}  // namespace xcore::tokenizer
