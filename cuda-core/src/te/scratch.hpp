// Vectors whose memory is kept for the next call. A fresh megabyte from the operating system costs a page fault every
// 4 KiB, which together take longer than the estimate of some thousand samples that is made in it.
#pragma once

#include <cstddef>
#include <new>
#include <utility>
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

// The same, not set to 0 first: for what is written whole, by several threads.
template <class T>
struct RawScratchAllocator : ScratchAllocator<T> {
  template <class U>
  struct rebind {
    using other = RawScratchAllocator<U>;
  };
  RawScratchAllocator() = default;
  template <class U>
  RawScratchAllocator(const RawScratchAllocator<U>&) noexcept {}
  template <class U>
  void construct(U* p) noexcept {
    ::new (static_cast<void*>(p)) U;
  }
  template <class U, class... Args>
  void construct(U* p, Args&&... args) {
    ::new (static_cast<void*>(p)) U(std::forward<Args>(args)...);
  }
};
template <class T>
using RawScratch = std::vector<T, RawScratchAllocator<T>>;

}  // namespace xcore::te
