// A strict JSON reader (RFC 8259) for files that come from anywhere: bounded depth, checked UTF-8, no duplicate keys
// in small objects, and errors that carry the byte offset and the path ("model.merges[12]").
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/flat.hpp"

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

// Items of arrays that are being read, as a stack: an array inside of another is complete before it.
template <class T>
class Stack {
 public:
  size_t size() const { return size_; }
  T* data() { return room_.writable(); }
  T& operator[](size_t i) { return room_.writable()[i]; }
  void push(const T& item) {
    if (size_ == room_.size()) grow(2 * size_ + 256);
    room_.writable()[size_++] = item;
  }
  void shrink(size_t size) { size_ = size; }
  // The memory with all items, of which the first `keep` stay here in a copy.
  tokenizer::Flat<T> release(size_t keep) {
    tokenizer::Flat<T> all = std::move(room_);
    room_ = {};
    size_ = 0;
    for (size_t i = 0; i < keep; ++i) push(all[i]);
    return all;
  }

 private:
  void grow(size_t capacity) {
    auto more = tokenizer::Flat<T>::uninitialised(capacity);
    std::copy_n(room_.data(), size_, more.writable());
    room_ = std::move(more);
  }
  tokenizer::Flat<T> room_;
  size_t size_ = 0;
};

// Arrays that stay where they are, many to an allocation.
template <class T>
class Blocks {
 public:
  // The items of the stack from `base` on, which leave it.
  const T* keep(Stack<T>& stack, size_t base) {
    const size_t count = stack.size() - base;
    if (count > kTogether && count > base) {  // large: where they are
      blocks_.push_back(stack.release(base));
      return blocks_.back().data() + base;
    }
    if (count > left_) {
      blocks_.push_back(tokenizer::Flat<T>::uninitialised(std::max(count, kTogether)));
      next_ = blocks_.back().writable();
      left_ = blocks_.back().size();
    }
    T* const place = next_;
    next_ += count;
    left_ -= count;
    std::copy_n(stack.data() + base, count, place);
    stack.shrink(base);
    return place;
  }

 private:
  static constexpr size_t kTogether = 1024;
  std::vector<tokenizer::Flat<T>> blocks_;
  T* next_ = nullptr;
  size_t left_ = 0;
};

class Document {
 public:
  // Refers to the text, which must outlive it. Throws Error(XC_INVALID_FORMAT) with offset and path.
  explicit Document(std::string_view text);
  const Value& root() const { return root_; }

  // Where strings and children live.
  struct Storage {
    std::deque<std::string> strings;  // only those with escapes; others point into the text
    Blocks<Value> values;
    Blocks<Member> members;
  };

 private:
  Value root_;
  Storage storage_, ahead_;
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
