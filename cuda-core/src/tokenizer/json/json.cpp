#include "tokenizer/json/json.hpp"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "runtime/error.hpp"
#include "runtime/thread_pool.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::json {

using tokenizer::append_utf8;
using tokenizer::bytes_of;
using tokenizer::decode_utf8;
using tokenizer::kInvalid;

const char* kind_name(Kind kind) {
  static const char* const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
  return names[static_cast<int>(kind)];
}

// A large part of a file of which one thread reads all, read by another one beforehand: the array of merges, which is half of a
// tokenizer's file. Where it begins is a guess. Whoever reads the file takes the result if it comes to that very place, and reads
// the array itself, with the same outcome, if the other has not begun or met an error.
class Ahead {
 public:
  static constexpr size_t kDepth = 2;  // of the array: root.model.merges
  const char* begin = nullptr;
  const char* end = nullptr;
  Value value;

  template <class F>
  void read(F&& parse) {
    int state = kOpen;
    if (!state_.compare_exchange_strong(state, kReading)) return;
    try {
      parse();
      state_.store(kRead, std::memory_order_release);
    } catch (...) {
      state_.store(kFailed, std::memory_order_release);
    }
  }
  bool take() {
    int state = kOpen;
    if (state_.compare_exchange_strong(state, kFailed)) return false;
    while ((state = state_.load(std::memory_order_acquire)) == kReading) std::this_thread::yield();
    return state == kRead;
  }
  void cancel() {
    int state = kOpen;
    state_.compare_exchange_strong(state, kFailed);
  }

 private:
  enum { kOpen, kReading, kRead, kFailed };
  std::atomic<int> state_{kOpen};
};

class Parser {
 public:
  Parser(std::string_view text, Document::Storage& storage, Ahead* ahead = nullptr)
      : storage_(storage), ahead_(ahead), begin_(text.data()), end_(begin_ + text.size()), at_(begin_) {}

  Value parse() {
    const Value root = value();
    space();
    if (at_ != end_) fail("there is something after the end of the JSON value");
    return root;
  }

  // The array at `ahead.begin`.
  static void parse_ahead(std::string_view text, Document::Storage& storage, Ahead& ahead) {
    Parser p(text, storage);
    p.path_.resize(Ahead::kDepth);
    p.at_ = ahead.begin;
    ahead.value = p.value();
    ahead.end = p.at_;
  }

 private:
  struct Step {
    std::string_view key;  // of an object, else
    uint64_t index;
  };

  [[noreturn]] void fail(const char* what) const { fail_at(what, at_); }
  [[noreturn]] void fail_at(const char* what, const char* where) const {
    std::string path;
    for (const Step& s : path_) {
      if (s.key.data()) {
        if (!path.empty()) path += '.';
        path.append(s.key.substr(0, 60));
      } else {
        path += '[' + std::to_string(s.index) + ']';
      }
    }
    const auto offset = static_cast<long long>(where - begin_);
    throw error(XC_INVALID_FORMAT, path, offset, "not valid JSON at byte %lld: %s", offset, what);
  }

  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  void word(const char* rest) {
    const char* const start = at_;
    for (; *rest; ++rest) {
      if (!take(*rest)) fail_at("expected null, true, false, a number, a string, [ or {", start);
    }
  }

  Value value() {
    space();
    if (at_ == end_) fail("the file ends where a value should be");
    Value v;
    v.offset = static_cast<uint64_t>(at_ - begin_);
    switch (*at_) {
      case '{': object(v); break;
      case '[':
        if (ahead_ && at_ == ahead_->begin && path_.size() == Ahead::kDepth && ahead_->take()) {
          v = ahead_->value;
          at_ = ahead_->end;
        } else {
          array(v);
        }
        break;
      case '"': {
        v.kind = Kind::string;
        const std::string_view s = string();
        v.text = s.data();
        v.size = static_cast<uint32_t>(s.size());
        break;
      }
      case 't': word("true"); v.kind = Kind::boolean; v.boolean = true; break;
      case 'f': word("false"); v.kind = Kind::boolean; break;
      case 'n': word("null"); break;
      default: number(v);
    }
    return v;
  }

  void number(Value& v) {
    const char* const start = at_;
    const auto digits = [&] {
      const char* const first = at_;
      while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
      return at_ - first;
    };
    take('-');
    const char* const first = at_;
    const auto whole = digits();
    if (whole == 0) fail_at("expected null, true, false, a number, a string, [ or {", start);
    if (whole > 1 && *first == '0') fail_at("a number must not start with a zero", start);
    bool integral = *start != '-';
    if (take('.')) {
      integral = false;
      if (digits() == 0) fail("a digit must follow the decimal point");
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      integral = false;
      ++at_;
      if (!take('+')) take('-');
      if (digits() == 0) fail("a digit must follow the exponent");
    }
    v.kind = Kind::number;
    if (integral && whole <= 15) {
      uint64_t n = 0;
      for (const char* p = start; p != at_; ++p) n = n * 10 + static_cast<uint64_t>(*p - '0');
      v.number = static_cast<double>(n);
      return;
    }
    // strtod obeys the locale's decimal point; node and the tests run in "C", where it is the one of JSON.
    v.number = std::strtod(std::string(start, at_).c_str(), nullptr);
    if (!std::isfinite(v.number)) fail_at("the number is too large for a double", start);
  }

  uint32_t hex4() {
    if (end_ - at_ < 4) fail("the file ends inside a \\u escape");
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = *at_;
      uint32_t digit;
      if (c >= '0' && c <= '9') digit = static_cast<uint32_t>(c - '0');
      else if (c >= 'a' && c <= 'f') digit = static_cast<uint32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F') digit = static_cast<uint32_t>(c - 'A' + 10);
      else fail("a \\u escape needs four hexadecimal digits");
      code = code * 16 + digit;
    }
    return code;
  }

  void escape(std::string& out) {
    if (at_ == end_) fail("the file ends inside an escape");
    const char c = *at_++;
    switch (c) {
      case '"': case '\\': case '/': out += c; return;
      case 'b': out += '\b'; return;
      case 'f': out += '\f'; return;
      case 'n': out += '\n'; return;
      case 'r': out += '\r'; return;
      case 't': out += '\t'; return;
      case 'u': break;
      default: --at_; fail("unknown escape in a string");
    }
    uint32_t code = hex4();
    if (code >= 0xd800 && code < 0xdc00) {
      if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') fail("a high surrogate without its low surrogate");
      at_ += 2;
      const uint32_t low = hex4();
      if (low < 0xdc00 || low > 0xdfff) fail("a high surrogate without its low surrogate");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
      fail("a low surrogate without its high surrogate");
    }
    append_utf8(out, code);
  }

  // Over characters that need no look: ASCII but for quotes, backslashes and controls.
  void skip_plain() {
#if defined(__SSE2__)
    while (end_ - at_ >= 16) {
      const __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
      const __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(c, _mm_set1_epi8('"')), _mm_cmpeq_epi8(c, _mm_set1_epi8('\\')));
      const __m128i odd = _mm_cmplt_epi8(c, _mm_set1_epi8(0x20));  // or beyond ASCII, which is negative
      const int stop = _mm_movemask_epi8(_mm_or_si128(ends, odd));
      if (stop) {
        at_ += __builtin_ctz(static_cast<unsigned>(stop));
        return;
      }
      at_ += 16;
    }
#endif
  }

  std::string_view string() {
    const char* const start = ++at_;
    std::string* owned = nullptr;
    const char* copied = start;
    for (;;) {
      skip_plain();
      if (at_ == end_) fail_at("the string that starts here does not end", start - 1);
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"') break;
      if (c < 0x20) fail("control characters in a string must be escaped");
      if (c == '\\') {
        if (!owned) owned = &storage_.strings.emplace_back();
        owned->append(copied, at_);
        ++at_;
        escape(*owned);
        copied = at_;
      } else if (c < 0x80) {
        ++at_;
      } else if (c >= 0xc2 && c < 0xe0 && end_ - at_ >= 2 && (at_[1] & 0xc0) == 0x80) {
        at_ += 2;
      } else {
        const auto point = decode_utf8(bytes_of({at_, 1}), bytes_of({end_, 0}));
        if (point.value == kInvalid) fail("invalid UTF-8 in a string");
        at_ += point.length;
      }
    }
    const std::string_view plain(start, static_cast<size_t>(at_ - start));
    if (owned) owned->append(copied, at_);
    ++at_;
    return owned ? std::string_view(*owned) : plain;
  }

  void enter() {
    ++at_;
    if (path_.size() >= kMaxDepth) fail("nested deeper than 64 levels");
    path_.push_back({});
  }

  void array(Value& v) {
    enter();
    const size_t base = values_.size();
    space();
    if (!take(']')) {
      for (;;) {
        path_.back().index = values_.size() - base;
        values_.push(value());
        space();
        if (take(']')) break;
        if (!take(',')) fail(at_ == end_ ? "the file ends inside an array" : "expected , or ] in an array");
      }
    }
    path_.pop_back();
    v.kind = Kind::array;
    v.size = static_cast<uint32_t>(values_.size() - base);
    v.items = storage_.values.keep(values_, base);
  }

  void object(Value& v) {
    enter();
    const size_t base = members_.size();
    space();
    if (!take('}')) {
      for (;;) {
        space();
        if (at_ == end_ || *at_ != '"') fail("expected a key in quotes");
        const char* const start = at_;
        const std::string_view key = string();
        // Large objects are vocabularies; their loader sees duplicates with a hash table.
        if (members_.size() - base < 64) {
          for (size_t i = base; i < members_.size(); ++i) {
            if (members_[i].key == key) fail_at("the key occurs twice in its object", start);
          }
        }
        path_.back().key = key.data() ? key : std::string_view("");
        space();
        if (!take(':')) fail("expected : after a key");
        Value child = value();
        members_.push({key, child});
        space();
        if (take('}')) break;
        if (!take(',')) fail(at_ == end_ ? "the file ends inside an object" : "expected , or } in an object");
      }
    }
    path_.pop_back();
    v.kind = Kind::object;
    v.size = static_cast<uint32_t>(members_.size() - base);
    v.members = storage_.members.keep(members_, base);
  }

  Document::Storage& storage_;
  Ahead* const ahead_;
  const char* begin_;
  const char* end_;
  const char* at_;
  std::vector<Step> path_;
  Stack<Value> values_;    // of unfinished arrays
  Stack<Member> members_;  // of unfinished objects
};

namespace {

// Where the array of merges seems to begin, or nullptr.
const char* find_merges(std::string_view text) {
  constexpr std::string_view kKey = "\"merges\"";
  for (size_t at = 0; at < text.size();) {
    const void* const found = memmem(text.data() + at, text.size() - at, kKey.data(), kKey.size());
    if (!found) break;
    at = static_cast<size_t>(static_cast<const char*>(found) - text.data()) + kKey.size();
    size_t next = text.find_first_not_of(" \n\r\t", at);
    if (next == std::string_view::npos || text[next] != ':') continue;
    next = text.find_first_not_of(" \n\r\t", next + 1);
    if (next != std::string_view::npos && text[next] == '[') return text.data() + next;
  }
  return nullptr;
}

}  // namespace

Document::Document(std::string_view text) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  if (text.size() >= UINT32_MAX) throw error(XC_INVALID_FORMAT, "", 0, "not valid JSON at byte 0: the file is larger than 4 GiB");
  constexpr size_t kLarge = size_t{1} << 18;
  Ahead ahead;
  if (text.size() >= kLarge) ahead.begin = find_merges(text);
  if (!ahead.begin) {
    root_ = Parser(text, storage_).parse();
    return;
  }
  thread_pool().parallel_for(2, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (i == 0) {
        ahead.read([&] { Parser::parse_ahead(text, ahead_, ahead); });
      } else {
        root_ = Parser(text, storage_, &ahead).parse();
        ahead.cancel();
      }
    }
  });
}

void Cursor::fail(const std::string& message) const {
  throw Error(XC_INVALID_FORMAT, (path_.empty() ? std::string("tokenizer.json") : path_) + ": " + message, path_,
              static_cast<int64_t>(value_->offset));
}
void Cursor::unsupported(const std::string& message) const {
  throw Error(XC_UNSUPPORTED, (path_.empty() ? std::string("tokenizer.json") : path_) + ": " + message, path_,
              static_cast<int64_t>(value_->offset));
}
void Cursor::expect(Kind kind) const {
  if (value_->kind != kind) fail(std::string("expected ") + kind_name(kind) + ", found " + kind_name(value_->kind));
}
std::string_view Cursor::string() const {
  expect(Kind::string);
  return value_->string();
}
bool Cursor::boolean() const {
  expect(Kind::boolean);
  return value_->boolean;
}
uint32_t Cursor::integer(uint32_t limit) const {
  expect(Kind::number);
  const double n = value_->number;
  if (!(n >= 0 && n <= limit) || n != std::floor(n)) fail("expected an integer of 0 to " + std::to_string(limit));
  return static_cast<uint32_t>(n);
}
uint32_t Cursor::array_size() const {
  expect(Kind::array);
  return value_->size;
}
uint32_t Cursor::object_size() const {
  expect(Kind::object);
  return value_->size;
}
Cursor Cursor::operator[](uint32_t index) const {
  return {value_->items[index], path_ + '[' + std::to_string(index) + ']'};
}
Cursor Cursor::get(std::string_view key) const {
  static const Value absent;
  expect(Kind::object);
  const std::string path = path_.empty() ? std::string(key) : path_ + '.' + std::string(key);
  for (uint32_t i = 0; i < value_->size; ++i) {
    if (value_->members[i].key == key) return {value_->members[i].value, path};
  }
  return {absent, path};
}
Cursor Cursor::at(std::string_view key) const {
  Cursor c = get(key);
  if (c.is_null()) fail("'" + std::string(key) + "' is missing");
  return c;
}
bool Cursor::flag(std::string_view key, bool fallback) const {
  const Cursor c = get(key);
  return c.is_null() ? fallback : c.boolean();
}

}  // namespace xcore::json
