#include "te/scratch.hpp"

#include <cstdlib>
#include <mutex>
#include <new>

namespace xcore::te {
namespace {

constexpr int kSmallest = 14, kLargest = 25;  // log2 of bytes
constexpr size_t kKept = size_t{64} << 20;

struct Block {
  Block* next;
};

struct Pool {
  std::mutex mutex;
  Block* free[kLargest + 1] = {};
  size_t kept = 0;
};

// Never destroyed: threads of Node may end in any order.
Pool& pool() {
  static Pool* p = new Pool;
  return *p;
}

// The class whose blocks hold `bytes`; 0 for what the heap serves.
int size_class(size_t bytes) {
  if (bytes < (size_t{1} << kSmallest) || bytes > (size_t{1} << kLargest)) return 0;
  int c = kSmallest;
  while ((size_t{1} << c) < bytes) ++c;
  return c;
}

void* heap(size_t bytes) {
  void* p = std::malloc(bytes);
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

void* take_scratch(size_t bytes) {
  const int c = size_class(bytes);
  if (c == 0) return heap(bytes ? bytes : 1);
  {
    Pool& p = pool();
    const std::lock_guard<std::mutex> lock(p.mutex);
    if (Block* b = p.free[c]) {
      p.free[c] = b->next;
      p.kept -= size_t{1} << c;
      return b;
    }
  }
  return heap(size_t{1} << c);
}

void give_scratch(void* block, size_t bytes) noexcept {
  const int c = size_class(bytes);
  if (c != 0) {
    Pool& p = pool();
    const std::lock_guard<std::mutex> lock(p.mutex);
    if (p.kept + (size_t{1} << c) <= kKept) {
      auto* b = static_cast<Block*>(block);
      b->next = p.free[c];
      p.free[c] = b;
      p.kept += size_t{1} << c;
      return;
    }
  }
  std::free(block);
}

}  // namespace xcore::te
