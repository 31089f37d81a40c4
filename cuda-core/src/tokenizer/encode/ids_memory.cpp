#include "tokenizer/encode/ids_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace xcore::tokenizer {
namespace {

#if defined(__linux__)

constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kMapped = size_t{32} << 20;  // smaller blocks are malloc's

struct Block {
  void* begin;
  size_t bytes;
};

class Blocks {
 public:
  // A block of at least so many bytes, or nullptr.
  void* take(size_t bytes) {
    bytes = (bytes + kHuge - 1) / kHuge * kHuge;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      used_.reserve(used_.size() + 1);
      if (idle_.bytes >= bytes) {
        used_.push_back(idle_);
        idle_ = {};
        return used_.back().begin;
      }
    }
    void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return nullptr;
    madvise(p, bytes, MADV_HUGEPAGE);  // fewer faults
    const std::lock_guard<std::mutex> lock(mutex_);
    try {
      used_.push_back({p, bytes});
    } catch (...) {
      munmap(p, bytes);
      throw;
    }
    return p;
  }
  // False when it is none of these.
  bool give_back(void* p) {
    Block gone{};
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto block = std::find_if(used_.begin(), used_.end(), [&](const Block& b) { return b.begin == p; });
      if (block == used_.end()) return false;
      gone = *block;
      used_.erase(block);
      if (gone.bytes > idle_.bytes) {
#if defined(MADV_FREE)
        madvise(gone.begin, gone.bytes, MADV_FREE);
#endif
        std::swap(gone, idle_);
      }
    }
    if (gone.begin) munmap(gone.begin, gone.bytes);
    return true;
  }
  bool has(const void* p) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::any_of(used_.begin(), used_.end(), [&](const Block& b) { return b.begin == p; });
  }

 private:
  std::mutex mutex_;
  std::vector<Block> used_;
  Block idle_{};
};

// Never destroyed: a block may be given back while the process ends.
Blocks& blocks() {
  static Blocks* const all = new Blocks();
  return *all;
}

#endif

}  // namespace

uint32_t* reserve_ids(size_t count) {
  const size_t bytes = std::max<size_t>(count, 1) * sizeof(uint32_t);
#if defined(__linux__)
  void* const ids = bytes >= kMapped ? blocks().take(bytes) : std::malloc(bytes);
#else
  void* const ids = std::malloc(bytes);
#endif
  if (!ids) throw std::bad_alloc();
  return static_cast<uint32_t*>(ids);
}

uint32_t* shrink_ids(uint32_t* ids, size_t count) {
#if defined(__linux__)
  if (blocks().has(ids)) return ids;  // what was not written costs nothing
#endif
  void* const smaller = std::realloc(ids, std::max<size_t>(count, 1) * sizeof(uint32_t));
  return smaller ? static_cast<uint32_t*>(smaller) : ids;
}

void release_ids(uint32_t* ids) noexcept {
#if defined(__linux__)
  if (ids && blocks().give_back(ids)) return;
#endif
  std::free(ids);
}

}  // namespace xcore::tokenizer
