#include "tokenizer/encode/scratch.hpp"

#include <algorithm>

#include "runtime/thread_pool.hpp"

namespace xcore::tokenizer {

std::unique_ptr<Scratch> ScratchPool::take() {
  std::unique_ptr<Scratch> scratch;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      scratch = std::move(idle_.back());
      idle_.pop_back();
    } else {
      idle_.reserve(static_cast<size_t>(thread_pool().threads()) + 1);  // giving back must not fail
    }
  }
  if (!scratch) scratch = std::make_unique<Scratch>();
  scratch->memo = PieceMemo::View(memo_);
  return scratch;
}

void ScratchPool::give_back(std::unique_ptr<Scratch> scratch) {
  scratch->memo = {};  // tables that nobody reads any more can go
  // One huge text must not pin its buffers for ever.
  constexpr size_t kSymbols = size_t{1} << 18;
  const MergeScratch& m = scratch->merge;
  if (m.columns.size() > 6 * kSymbols || std::max(m.next.capacity(), m.heap.capacity()) > kSymbols) scratch->merge = {};
  if (scratch->symbols.capacity() > 4 * kSymbols) scratch->symbols = {};
  if (scratch->staged.capacity() > 4 * kSymbols) scratch->staged = {};
  if (scratch->learned.capacity() > 4 * kSymbols) scratch->learned = {};
  if (scratch->normalized.capacity() > 16 * kSymbols) scratch->normalized = {};
  const std::lock_guard<std::mutex> lock(mutex_);
  lookups_ += std::exchange(scratch->lookups, 0);
  misses_ += std::exchange(scratch->misses, 0);
  if (idle_.size() < idle_.capacity()) idle_.push_back(std::move(scratch));
}

CacheStats ScratchPool::stats() const {
  CacheStats s = memo_.stats();
  const std::lock_guard<std::mutex> lock(mutex_);
  s.lookups = lookups_;
  s.misses = misses_;
  return s;
}

void ScratchPool::clear() {
  memo_.clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.clear();
  lookups_ = misses_ = 0;
}

void ScratchPool::limit(size_t bytes) {
  memo_.limit(bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  limit_ = bytes;
}

size_t ScratchPool::limit() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return limit_;
}

}  // namespace xcore::tokenizer
