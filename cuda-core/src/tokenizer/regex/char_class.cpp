#include "tokenizer/regex/char_class.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "tokenizer/unicode/properties.hpp"

namespace xcore::tokenizer::regex {
namespace {

Class inverted(Class c) {
  c.ranges.invert();
  c.stray = !c.stray;
  return c;
}

Class named(const char* property_name, bool inverse) {
  Class c;
  property(property_name, c.ranges);
  return inverse ? inverted(std::move(c)) : c;
}

uint32_t hexadecimal(Cursor& in, int least, int most) {
  uint32_t value = 0;
  int digits = 0;
  for (; digits < most && !in.ends(); ++digits, in.skip()) {
    const uint8_t c = in.peek();
    const int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (d < 0) break;
    value = value * 16 + static_cast<uint32_t>(d);
  }
  if (digits < least || value > kLastCodePoint) in.fail("not a character in hexadecimal");
  return value;
}

// [:name:] at its "[:". False, and nothing read, when it is none: then the bracket begins a class.
bool posix(Cursor& in, Class& out) {
  const uint8_t* const start = in.mark();
  in.skip(2);
  const bool inverse = in.take("^");
  std::string wanted;
  while (!in.ends() && in.peek() >= 'a' && in.peek() <= 'z') wanted += static_cast<char>(in.byte());
  static const char* const known[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                      "lower", "print", "punct", "space", "upper", "xdigit", "word"};
  const bool is_known = std::any_of(std::begin(known), std::end(known), [&](const char* k) { return wanted == k; });
  if (!is_known || !in.take(":]") || !property(wanted, out.ranges)) {
    in.reset(start);
    out = Class{};
    return false;
  }
  if (inverse) out = inverted(std::move(out));
  return true;
}

}  // namespace

bool class_escape(Cursor& in, Class& out) {
  const uint8_t letter = in.peek();
  switch (letter) {
    case 'd': case 'D': out = named("Nd", letter == 'D'); break;
    case 's': case 'S': out = named("White_Space", letter == 'S'); break;
    case 'w': case 'W': out = named("word", letter == 'W'); break;
    case 'h': case 'H': out = named("xdigit", letter == 'H'); break;
    case 'p':
    case 'P': {
      bool inverse = letter == 'P';
      in.skip();
      std::string wanted;
      if (in.take("{")) {
        if (in.take("^")) inverse = !inverse;
        wanted = in.name('}');
      } else if (!in.ends()) {
        append_utf8(wanted, in.character());
      }
      Class c;
      if (!property(wanted, c.ranges)) in.unsupported(("the character property '" + wanted.substr(0, 60) + "'").c_str());
      out = inverse ? inverted(std::move(c)) : std::move(c);
      return true;
    }
    default: return false;
  }
  in.skip();
  return true;
}

uint32_t character_escape(Cursor& in) {
  const uint32_t c = in.character();
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'f': return '\f';
    case 'v': return '\v';
    case 'a': return '\a';
    case 'e': return 27;
    case '0': return 0;
    case 'x':
    case 'u':
      if (in.take("{")) {
        const uint32_t value = hexadecimal(in, 1, 8);
        if (!in.take("}")) in.fail("missing }");
        return value;
      }
      return c == 'x' ? hexadecimal(in, 1, 2) : hexadecimal(in, 4, 4);
    default:
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9')) {
        in.back();
        in.unsupported("this escape");
      }
      return c;
  }
}

Class char_class(Cursor& in, bool ignore_case) {
  const Cursor::Nesting nesting(in);
  const bool inverse = in.take("^");
  Class result;
  bool has_result = false;  // of what stands before &&
  Class part;
  const auto settle = [&] {
    part.ranges.normalise();
    if (has_result) {
      result.ranges.intersect(part.ranges);
      result.stray = result.stray && part.stray;
    } else {
      result = std::move(part);
      has_result = true;
    }
    part = Class{};
  };
  const auto join = [&](const Class& c) {
    part.ranges.add(c.ranges);
    part.stray = part.stray || c.stray;
  };
  for (bool first = true;; first = false) {
    if (in.ends()) in.fail("missing ]");
    if (in.peek() == ']' && !first) {
      in.skip();
      break;
    }
    if (in.take("&&")) {
      settle();
      continue;
    }
    if (in.next_is("[:")) {
      Class c;
      if (posix(in, c)) {
        join(c);
        continue;
      }
    }
    if (in.take("[")) {
      join(char_class(in, ignore_case));
      continue;
    }
    uint32_t low;
    if (in.take("\\")) {
      if (in.ends()) in.fail("missing ]");
      Class c;
      if (class_escape(in, c)) {
        join(c);
        continue;
      }
      low = in.take("b") ? 8 : character_escape(in);
    } else {
      low = in.character();
    }
    uint32_t high = low;
    const bool before_and = in.left() >= 3 && in.peek(1) == '&' && in.peek(2) == '&';
    if (in.next_is("-") && in.left() >= 2 && in.peek(1) != ']' && in.peek(1) != '[' && !before_and) {
      in.skip();
      if (in.take("\\")) {
        if (in.ends()) in.fail("missing ]");
        Class c;
        if (class_escape(in, c)) {  // [a-\d]: the dash stands for itself
          part.ranges.add('-', '-');
          join(c);
        } else {
          high = character_escape(in);
        }
      } else {
        high = in.character();
      }
      if (high < low) in.fail("a range whose end comes before its begin");
    }
    part.ranges.add(low, high);
  }
  settle();
  if (ignore_case) result.ranges.ignore_case();
  return inverse ? inverted(std::move(result)) : result;
}

}  // namespace xcore::tokenizer::regex
