// What one running encode call owns: its access to the memo of pieces encoded before, and buffers, which a tokenizer keeps
// for the next calls.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tokenizer/encode/piece_memo.hpp"
#include "tokenizer/merge/merge.hpp"

namespace xcore::tokenizer {

// See PieceEncoder::encode_segments.
struct Segment {
  uint32_t end, token;
};

struct Scratch {
  PieceMemo::View memo;
  uint64_t lookups = 0, misses = 0;
  MergeScratch merge;
  std::vector<uint32_t> symbols;
  std::vector<uint32_t> staged;  // ids that the caller's buffer may not have room for
  std::vector<uint32_t> learned;  // ids of the new pieces of a batch
  std::string normalized;
  std::vector<Segment> segments;
};

class ScratchPool {
 public:
  static constexpr size_t kDefaultLimit = size_t{64} << 20;  // bytes of the memo

  ScratchPool() = default;
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;

  // A Scratch for the length of a call; the one used last if several are free.
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

  // Lookups and misses are those of calls that have ended.
  CacheStats stats() const;
  void clear();
  void limit(size_t bytes);
  size_t limit() const;

 private:
  std::unique_ptr<Scratch> take();
  void give_back(std::unique_ptr<Scratch> scratch);

  PieceMemo memo_{kDefaultLimit};
  mutable std::mutex mutex_;  // guards the rest
  std::vector<std::unique_ptr<Scratch>> idle_;
  size_t limit_ = kDefaultLimit;
  uint64_t lookups_ = 0, misses_ = 0;
};

}  // namespace xcore::tokenizer
