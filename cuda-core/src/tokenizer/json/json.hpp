// A strict JSON reader (RFC 8259) for files that come from anywhere: bounded depth, checked UTF-8, no duplicate keys
// in small objects, and errors that carry the byte offset and the path ("model.merges[12]").
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xcore::json {

inline constexpr int kMaxDepth = 64;

enum class Kind : uint8_t { null, boolean, number, string, array, object };
const char* kind_name(Kind);

struct Member;

// Trivially copyable; strings and children live in the Document.
struct Value {
  Kind kind = Kind::null;
  bool boolean = false;
  uint32_t size = 0;    // bytes of a string, items of an array, members of an object
  uint64_t offset = 0;  // where the value starts in the file
  union {
    double number;
    const char* text;
    const Value* items;
    const Member* members;
  };
  Value() : number(0) {}

  std::string_view string() const { return {text, size}; }
  const Value* begin() const { return items; }
  const Value* end() const { return items + size; }
};
struct Member {
  std::string_view key;
  Value value;
};

// Arrays that stay where they are, many to an allocation.
template <class T>
class Blocks {
 public:
  const T* keep(const T* items, size_t count) {
    if (count > left_) {
      const size_t size = count > kTogether / 4 ? count : kTogether;
      blocks_.push_back(std::unique_ptr<T[]>(new T[size]));
      if (size == count) return copy(blocks_.back().get(), items, count);
      next_ = blocks_.back().get();
      left_ = size;
    }
    T* const place = next_;
    next_ += count;
    left_ -= count;
    return copy(place, items, count);
  }

 private:
  static constexpr size_t kTogether = 1024;
  static T* copy(T* place, const T* items, size_t count) {
    std::copy_n(items, count, place);
    return place;
  }
  std::vector<std::unique_ptr<T[]>> blocks_;
  T* next_ = nullptr;
  size_t left_ = 0;
};

class Document {
 public:
  // Copies what it needs. Throws Error(XC_INVALID_FORMAT) with offset and path.
  explicit Document(std::string_view text);
  const Value& root() const { return root_; }

 private:
  friend class Parser;
  Value root_;
  std::deque<std::string> strings_;  // only those with escapes; others point into text_
  Blocks<Value> values_;
  Blocks<Member> members_;
  std::string text_;
};

// A value and how it was reached, for loaders: each accessor checks the kind and names the path in its error.
class Cursor {
 public:
  Cursor(const Value& value, std::string path) : value_(&value), path_(std::move(path)) {}
  const Value& value() const { return *value_; }
  const std::string& path() const { return path_; }
  bool is_null() const { return value_->kind == Kind::null; }

  std::string_view string() const;
  bool boolean() const;
  // An integer of 0..limit.
  uint32_t integer(uint32_t limit) const;
  uint32_t array_size() const;   // checks that it is an array
  uint32_t object_size() const;  // checks that it is an object
  Cursor operator[](uint32_t index) const;
  const Member& member(uint32_t index) const { return value_->members[index]; }
  // The member, an error when absent.
  Cursor at(std::string_view key) const;
  // The member, or a null when absent.
  Cursor get(std::string_view key) const;
  bool flag(std::string_view key, bool fallback) const;

  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void unsupported(const std::string& message) const;

 private:
  void expect(Kind kind) const;
  const Value* value_;
  std::string path_;
};

}  // namespace xcore::json
