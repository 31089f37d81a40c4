// A table in one block of memory: built here, or a view of memory that lives longer (a mapped file).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace xcore::tokenizer {

// Memory on whole cache lines. From `kLarge` on it is of huge pages where the system gives them: large tables are read at random,
// and first touching small pages costs more than filling them (on some virtual machines 5 ms a megabyte). That is zero.
namespace pages {

inline constexpr size_t kHuge = size_t{2} << 20;
inline constexpr size_t kLarge = kHuge / 4;

inline bool mapped(size_t bytes) {
#if defined(__linux__)
  return bytes >= kLarge;
#else
  (void)bytes;
  return false;
#endif
}

inline void* allocate(size_t bytes) {
#if defined(__linux__)
  if (mapped(bytes)) {
    const size_t whole = (bytes + kHuge - 1) / kHuge * kHuge;
    void* const p = mmap(nullptr, whole + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    const auto begin = reinterpret_cast<uintptr_t>(p), aligned = (begin + kHuge - 1) & ~(kHuge - 1);
    if (aligned > begin) munmap(p, aligned - begin);
    if (begin + kHuge > aligned) munmap(reinterpret_cast<void*>(aligned + whole), begin + kHuge - aligned);
    madvise(reinterpret_cast<void*>(aligned), whole, MADV_HUGEPAGE);
    return reinterpret_cast<void*>(aligned);
  }
#endif
  void* const p = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
  if (!p) throw std::bad_alloc();
  return p;
}

inline void release(void* p, size_t bytes) {
#if defined(__linux__)
  if (mapped(bytes)) {
    munmap(p, (bytes + kHuge - 1) / kHuge * kHuge);
    return;
  }
#endif
  (void)bytes;
  std::free(p);
}

template <class T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(pages::allocate(n * sizeof(T))); }
  void deallocate(T* p, size_t n) { release(p, n * sizeof(T)); }
  friend bool operator==(const Allocator&, const Allocator&) { return true; }
  friend bool operator!=(const Allocator&, const Allocator&) { return false; }
};

}  // namespace pages

// A list that may grow large.
template <class T>
using Large = std::vector<T, pages::Allocator<T>>;

template <class T>
class Flat {
  static_assert(std::is_trivially_copyable<T>::value, "tables are copied and mapped as bytes");

 public:
  Flat() = default;
  Flat(Flat&&) = default;
  Flat& operator=(Flat&&) = default;
  // A copy of a view is a view of the same.
  Flat(const Flat& other) : data_(other.data_), size_(other.size_) {
    if (!other.owned_) return;
    *this = uninitialised(size_);
    std::memcpy(owned_.get(), other.data_, bytes());
  }
  Flat& operator=(const Flat& other) { return *this = Flat(other); }
  Flat(size_t size, T fill) : Flat(allocate(size), size) {
    for (size_t i = 0; i < size; ++i) owned_.get()[i] = fill;
  }
  static Flat uninitialised(size_t size) { return Flat(allocate(size), size); }
  // All bytes 0; the pages of a large table cost nothing before they are used.
  static Flat zeroed(size_t size) {
    Flat f(allocate(size), size);
    if (!pages::mapped(f.bytes())) std::memset(static_cast<void*>(f.owned_.get()), 0, f.bytes());
    return f;
  }
  static Flat view(const T* data, size_t size) {
    Flat f;
    f.data_ = data;
    f.size_ = size;
    return f;
  }

  const T& operator[](size_t i) const { return data_[i]; }
  const T* data() const { return data_; }
  T* writable() { return owned_.get(); }  // nullptr for a view
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t bytes() const { return size_ * sizeof(T); }

 private:
  struct Free {
    size_t bytes = 0;
    void operator()(T* p) const { pages::release(p, bytes); }
  };
  using Owner = std::unique_ptr<T, Free>;
  Flat(Owner owner, size_t size) : owned_(std::move(owner)), data_(owned_.get()), size_(size) {}
  static Owner allocate(size_t size) { return Owner(static_cast<T*>(pages::allocate(size * sizeof(T))), Free{size * sizeof(T)}); }

  Owner owned_;
  const T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace xcore::tokenizer
