// The writing half of an archive; see image.hpp. Tables are referred to, not copied, until the file is written.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/flat.hpp"
#include "tokenizer/image/format.hpp"

namespace xcore::tokenizer {

class ImageWriter {
 public:
  static constexpr bool kReads = false;

  template <class T>
  void number(const T& value) {
    static_assert(std::is_arithmetic<T>::value && !std::is_same<T, bool>::value, "numbers");
    description_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void flag(bool value) { number(static_cast<uint8_t>(value)); }
  template <class E>
  void choice(E value, size_t) {
    number(static_cast<uint8_t>(value));
  }
  void text(const std::string& value) {
    number(static_cast<uint64_t>(value.size()));
    description_ += value;
  }
  template <class T, class F>
  void list(const std::vector<T>& values, F&& element) {
    number(static_cast<uint64_t>(values.size()));
    for (const T& v : values) element(v);
  }
  template <class T>
  void block(const std::string& name, const Flat<T>& table) {
    add(name, table.data(), table.size(), sizeof(T));
  }
  template <class T>
  void block(const std::string& name, const std::vector<T>& table) {
    static_assert(std::is_trivially_copyable<T>::value, "tables are copied as bytes");
    add(name, table.data(), table.size(), sizeof(T));
  }
  void bits(const std::string& name, const std::vector<bool>& table);

  struct Part {
    const void* data;
    size_t bytes;
  };
  // The whole file in parts, in order; the last call.
  std::vector<Part> finish();

 private:
  void add(const std::string& name, const void* data, size_t count, size_t element_bytes);

  std::string description_;
  std::vector<image::Section> sections_;
  std::vector<const void*> data_;
  std::vector<std::vector<uint8_t>> bits_;
  std::string head_;
};

}  // namespace xcore::tokenizer
