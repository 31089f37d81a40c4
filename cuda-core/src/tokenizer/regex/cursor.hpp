// The place in a pattern that is being parsed: reads characters and fixed words, and says where the pattern is wrong.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "runtime/error.hpp"
#include "tokenizer/regex/syntax.hpp"

namespace xcore::tokenizer::regex {

class Cursor {
 public:
  explicit Cursor(std::string_view pattern)
      : begin_(bytes_of(pattern)), end_(begin_ + pattern.size()), at_(begin_) {}

  [[noreturn]] void fail(const char* what) const {
    throw error(XC_INVALID_FORMAT, "pattern", offset(), "regular expression, byte %lld: %s", offset(), what);
  }
  [[noreturn]] void unsupported(const char* what) const {
    throw error(XC_UNSUPPORTED, "pattern", offset(), "regular expression, byte %lld: %s is not supported", offset(), what);
  }
  [[noreturn]] void too_much(const char* what) const { throw error(XC_LIMIT_EXCEEDED, "pattern", offset(), "%s", what); }

  long long offset() const { return static_cast<long long>(at_ - begin_); }
  bool ends() const { return at_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  // The next byte, and the one `ahead` of it. Only where there is one.
  uint8_t peek(size_t ahead = 0) const { return at_[ahead]; }
  uint8_t byte() { return *at_++; }
  void skip(size_t bytes = 1) { at_ += bytes; }
  void back() { --at_; }

  // A place to return to when what follows turns out to be something else.
  const uint8_t* mark() const { return at_; }
  void reset(const uint8_t* mark) { at_ = mark; }

  bool next_is(std::string_view s) const {
    return left() >= s.size() && std::equal(s.begin(), s.end(), reinterpret_cast<const char*>(at_));
  }
  bool take(std::string_view s) {
    if (!next_is(s)) return false;
    at_ += s.size();
    return true;
  }
  uint32_t character() {
    const CodePoint c = decode_utf8(at_, end_);
    if (c.value == kInvalid) fail("invalid UTF-8");
    at_ += c.length;
    return c.value;
  }
  // Up to `close`, which is taken too. At least one character.
  std::string name(char close) {
    std::string out;
    while (!ends() && *at_ != static_cast<uint8_t>(close)) out += static_cast<char>(*at_++);
    if (!take(std::string_view(&close, 1)) || out.empty()) fail("a name is not closed");
    return out;
  }

  // Groups and classes within one another are parsed by recursion: no deeper than the stack surely bears.
  class Nesting {
   public:
    explicit Nesting(Cursor& in) : in_(in) {
      if (++in.depth_ > kMaxDepth) in.too_much("regular expression nested deeper than 100 levels");
    }
    ~Nesting() { --in_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Cursor& in_;
  };

 private:
  const uint8_t* begin_;
  const uint8_t* end_;
  const uint8_t* at_;
  uint32_t depth_ = 0;
};

}  // namespace xcore::tokenizer::regex
