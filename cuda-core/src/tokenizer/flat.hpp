// A table in one block of memory: built here, or a view of memory that lives longer (a mapped file).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace xcore::tokenizer {

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
    void operator()(T* p) const { std::free(p); }
  };
  Flat(T* data, size_t size) : owned_(data), data_(data), size_(size) {}
  // On whole cache lines; large tables on huge pages where the system gives them, since they are read at random.
  static T* allocate(size_t size) {
    constexpr size_t kHuge = size_t{2} << 20;
    size_t bytes = (size * sizeof(T) + 63) / 64 * 64;
    const size_t alignment = bytes >= kHuge ? kHuge : 64;
    if (bytes < 64) bytes = 64;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    void* p = std::aligned_alloc(alignment, bytes);
    if (!p) throw std::bad_alloc();
#if defined(__linux__)
    if (alignment == kHuge) madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(p);
  }

  std::unique_ptr<T, Free> owned_;
  const T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace xcore::tokenizer
