// What one running encode call owns: memos of pieces encoded before, and buffers. A tokenizer keeps the scratches of past
// calls for the next ones, so each running thread has warm memos of its own and none waits for another.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tokenizer/encode/piece_memo.hpp"
#include "tokenizer/merge/merge.hpp"

namespace xcore::tokenizer {

struct Scratch {
  PieceMemo memo;
  LongMemo long_memo;
  uint64_t lookups = 0, misses = 0;
  MergeScratch merge;
  std::vector<uint32_t> symbols;
  std::vector<uint32_t> staged;  // ids that the caller's buffer may not have room for
  std::string normalized;
  uint64_t generation = 0;
  std::thread::id user;  // whose caches hold what is here

  void limit(size_t bytes) {
    memo.limit(bytes / 4 * 3);
    long_memo.limit(bytes / 4);
  }
};

class ScratchPool {
 public:
  // Together the memos of all running threads take at most so much; at least 1 MiB each.
  static constexpr size_t kDefaultLimit = size_t{64} << 20;

  ScratchPool() = default;
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;

  // A Scratch for the length of a call: the one that this thread used last. A thread that had none gets a new one, as long
  // as there are not too many; then the one that lay unused longest.
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
    ~Lease() { pool_.give_back(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch& operator*() const { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<Scratch> scratch_;
  };

  // Entries and bytes are those of calls that have ended.
  CacheStats stats() const;
  void clear();
  void limit(size_t bytes);
  size_t limit() const;

 private:
  std::unique_ptr<Scratch> take();
  void give_back(std::unique_ptr<Scratch> scratch);
  static size_t most();  // scratches that are kept: for the threads of the pool and a caller from outside
  size_t share() const;  // of the limit, for one scratch

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> idle_;  // the one used last at the end
  size_t lent_ = 0;
  size_t limit_ = kDefaultLimit;
  uint64_t generation_ = 0;  // counts clear() and limit(): scratches that were running are brought up to it when they return
  uint64_t lookups_ = 0, misses_ = 0;
};

}  // namespace xcore::tokenizer
