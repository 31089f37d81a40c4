#include "tokenizer/encode/scratch.hpp"

#include <algorithm>

#include "runtime/thread_pool.hpp"

namespace xcore::tokenizer {

size_t ScratchPool::most() { return static_cast<size_t>(thread_pool().threads()) + 1; }

size_t ScratchPool::share() const { return std::max<size_t>(limit_ / most(), size_t{1} << 20); }

std::unique_ptr<Scratch> ScratchPool::take() {
  const auto me = std::this_thread::get_id();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.reserve(most());  // giving back must not fail
    auto mine = std::find_if(idle_.begin(), idle_.end(), [&](const auto& s) { return s->user == me; });
    if (mine == idle_.end() && !idle_.empty() && idle_.size() + lent_ >= most()) mine = idle_.begin();
    ++lent_;
    if (mine != idle_.end()) {
      auto scratch = std::move(*mine);
      idle_.erase(mine);
      scratch->user = me;
      return scratch;
    }
  }
  std::unique_ptr<Scratch> scratch;
  try {
    scratch = std::make_unique<Scratch>();
  } catch (...) {
    const std::lock_guard<std::mutex> lock(mutex_);
    --lent_;
    throw;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  scratch->limit(share());
  scratch->generation = generation_;
  scratch->user = me;
  return scratch;
}

void ScratchPool::give_back(std::unique_ptr<Scratch> scratch) {
  // One huge text must not pin its buffers for ever.
  if (scratch->merge.columns.size() > (size_t{6} << 18) || std::max(scratch->merge.next.capacity(), scratch->merge.heap.capacity()) > (size_t{1} << 18)) {
    scratch->merge = {};
  }
  if (scratch->symbols.capacity() > (size_t{1} << 20)) scratch->symbols = {};
  if (scratch->staged.capacity() > (size_t{1} << 20)) scratch->staged = {};
  if (scratch->normalized.capacity() > (size_t{1} << 22)) scratch->normalized = {};
  const std::lock_guard<std::mutex> lock(mutex_);
  --lent_;
  lookups_ += scratch->lookups;
  misses_ += scratch->misses;
  scratch->lookups = scratch->misses = 0;
  if (scratch->generation != generation_ || idle_.size() == idle_.capacity()) return;
  idle_.push_back(std::move(scratch));
}

CacheStats ScratchPool::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  CacheStats s;
  s.lookups = lookups_;
  s.misses = misses_;
  for (const auto& scratch : idle_) {
    s.entries += scratch->memo.entries() + scratch->long_memo.entries();
    s.bytes += scratch->memo.bytes() + scratch->long_memo.bytes();
  }
  return s;
}

void ScratchPool::clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.clear();
  ++generation_;
  lookups_ = misses_ = 0;
}

void ScratchPool::limit(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.clear();
  ++generation_;
  limit_ = bytes;
}

size_t ScratchPool::limit() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return limit_;
}

}  // namespace xcore::tokenizer
