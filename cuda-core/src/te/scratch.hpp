// Vectors whose memory is kept for the next call. A fresh megabyte from the operating system costs a page fault every
// 4 KiB, which together take longer than the estimate of some thousand samples that is made in it.
#pragma once

#include <cstddef>
#include <vector>

namespace xcore::te {

// Blocks of at least 16 KiB come from a free list by size (powers of two) and go back to it, up to 64 MiB for the
// process; others are the heap's. Any thread may give back what another took. Throws std::bad_alloc.
void* take_scratch(size_t bytes);
void give_scratch(void* block, size_t bytes) noexcept;

template <class T>
struct ScratchAllocator {
  using value_type = T;
  ScratchAllocator() = default;
  template <class U>
  ScratchAllocator(const ScratchAllocator<U>&) noexcept {}
  T* allocate(size_t n) {
    if (n > static_cast<size_t>(-1) / sizeof(T)) return static_cast<T*>(take_scratch(static_cast<size_t>(-1)));
    return static_cast<T*>(take_scratch(n * sizeof(T)));
  }
  void deallocate(T* p, size_t n) noexcept { give_scratch(p, n * sizeof(T)); }
  template <class U>
  bool operator==(const ScratchAllocator<U>&) const { return true; }
  template <class U>
  bool operator!=(const ScratchAllocator<U>&) const { return false; }
};

template <class T>
using Scratch = std::vector<T, ScratchAllocator<T>>;

}  // namespace xcore::te
