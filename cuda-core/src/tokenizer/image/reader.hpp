// The reading half of an archive; see image.hpp. Tables become views of the image.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "tokenizer/flat.hpp"
#include "tokenizer/image/format.hpp"

namespace xcore::tokenizer {

class ImageReader {
 public:
  static constexpr bool kReads = true;

  // Checks everything that can be checked without knowing what the sections mean. The bytes must begin on 64 and outlive
  // what is read.
  ImageReader(const uint8_t* data, size_t size);

  template <class T>
  void number(T& value) {
    static_assert(std::is_arithmetic<T>::value && !std::is_same<T, bool>::value, "numbers");
    take(&value, sizeof value);
  }
  void flag(bool& value) { value = choice_of(2) != 0; }
  // One of the first `count` values of an enumeration.
  template <class E>
  void choice(E& value, size_t count) {
    value = static_cast<E>(choice_of(count));
  }
  void text(std::string& value);
  template <class T, class F>
  void list(std::vector<T>& values, F&& element) {
    // Each element takes a byte at least, so that a small file does not ask for gigabytes.
    values.clear();
    for (uint64_t left = length(); left > 0; --left) {
      values.emplace_back();
      element(values.back());
    }
  }
  template <class T>
  void block(const std::string& name, Flat<T>& table) {
    const image::Section& s = next(name, sizeof(T));
    table = Flat<T>::view(reinterpret_cast<const T*>(data_ + s.offset), s.bytes / sizeof(T));
  }
  template <class T>
  void block(const std::string& name, std::vector<T>& table) {
    static_assert(std::is_trivially_copyable<T>::value, "tables are copied as bytes");
    const image::Section& s = next(name, sizeof(T));
    const auto* const first = reinterpret_cast<const T*>(data_ + s.offset);
    table.assign(first, first + s.bytes / sizeof(T));
  }
  void bits(const std::string& name, std::vector<bool>& table);

  // For everything that the rest of the program relies on. Names the section that was read last.
  void require(bool holds, const char* otherwise) const {
    if (!holds) fail(otherwise);
  }
  // Nothing must be left.
  void finish() const;

 private:
  [[noreturn]] void fail(const char* message) const;
  void check_blocks(const image::Header& header, const uint8_t* sums) const;
  uint8_t choice_of(size_t count);
  uint64_t length();
  void take(void* out, size_t bytes);
  const image::Section& next(const std::string& name, size_t element_bytes);

  const uint8_t* data_;
  std::vector<image::Section> sections_;
  size_t read_ = 1;                         // sections; the description is the first
  size_t at_ = 0, end_ = 0;                 // in the description
};

}  // namespace xcore::tokenizer
