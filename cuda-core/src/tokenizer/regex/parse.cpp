#include <algorithm>
#include <utility>

#include "runtime/error.hpp"
#include "tokenizer/regex/syntax.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace xcore::tokenizer::regex {
namespace {

struct Flags {
  bool ignore_case = false;
  bool dot_all = false;
  bool lines = false;  // ^ and $ at line ends
  bool extended = false;
};

class Parser {
 public:
  Parser(std::string_view pattern, Dialect dialect)
      : pattern_(pattern), dialect_(dialect), begin_(bytes_of(pattern)), end_(begin_ + pattern.size()), at_(begin_) {}

  Syntax run() {
    if (pattern_.size() > kMaxPattern) throw Error(XC_LIMIT_EXCEEDED, "a regular expression may have up to 64 KiB");
    Flags flags;
    flags.lines = dialect_ == Dialect::oniguruma;
    syntax_.root = alternatives(flags);
    if (at_ != end_) fail("unmatched )");
    for (const auto& [node, name] : named_references_) {
      uint32_t group = 0;
      for (const auto& [known, number] : names_) {
        if (known == name) group = number;
      }
      if (group == 0) fail("reference to an unknown group");
      node->group = group;
    }
    for (const Node* node : references_) {
      if (node->group == 0 || node->group > syntax_.groups) fail("reference to an unknown group");
    }
    return std::move(syntax_);
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    const auto offset = static_cast<long long>(at_ - begin_);
    throw error(XC_INVALID_FORMAT, "pattern", offset, "regular expression, byte %lld: %s", offset, what);
  }
  [[noreturn]] void unsupported(const char* what) const {
    const auto offset = static_cast<long long>(at_ - begin_);
    throw error(XC_UNSUPPORTED, "pattern", offset, "regular expression, byte %lld: %s is not supported", offset, what);
  }

  bool ends() const { return at_ == end_; }
  bool next_is(std::string_view s) const {
    return static_cast<size_t>(end_ - at_) >= s.size() && std::equal(s.begin(), s.end(), reinterpret_cast<const char*>(at_));
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

  struct Nesting {
    explicit Nesting(Parser& p) : parser(p) {
      if (++p.depth_ > kMaxDepth) throw Error(XC_LIMIT_EXCEEDED, "regular expression nested deeper than 100 levels", "pattern");
    }
    ~Nesting() { --parser.depth_; }
    Parser& parser;
  };

  static Tree node(Node::Kind kind) { return std::make_unique<Node>(kind); }

  Tree alternatives(Flags flags) {
    const Nesting nesting(*this);
    std::vector<Tree> list;
    list.push_back(sequence(flags));
    while (take("|")) list.push_back(sequence(flags));
    if (list.size() == 1) return std::move(list[0]);
    Tree out = node(Node::alternatives);
    out->children = std::move(list);
    return out;
  }

  // `flags` by reference: (?i) holds up to the end of the enclosing group, over its alternatives as well.
  Tree sequence(Flags& flags) {
    Tree out = node(Node::sequence);
    for (;;) {
      if (flags.extended) skip_comments();
      if (ends() || next_is("|") || next_is(")")) return out;
      Tree atom;
      if (take("(")) {
        atom = group(flags);
        if (!atom) continue;  // flags alone
      } else {
        atom = single(flags);
      }
      out->children.push_back(repeated(std::move(atom), flags));
    }
  }

  void skip_comments() {
    while (!ends()) {
      if (*at_ == ' ' || (*at_ >= '\t' && *at_ <= '\r')) {
        ++at_;
      } else if (*at_ == '#') {
        while (!ends() && *at_ != '\n') ++at_;
      } else {
        return;
      }
    }
  }

  // {n}, {n,}, {n,m}, {,m} at a '{'. False, and nothing read, when it is none.
  bool interval(uint32_t& least, uint32_t& most) {
    const uint8_t* const start = at_;
    const auto number = [&](uint32_t& out) {
      const uint8_t* const first = at_;
      uint64_t n = 0;
      for (; !ends() && *at_ >= '0' && *at_ <= '9'; ++at_) n = std::min<uint64_t>(n * 10 + (*at_ - '0'), 1u << 30);
      out = static_cast<uint32_t>(n);
      return at_ != first;
    };
    ++at_;
    const bool low = number(least);
    bool high = low;
    most = least;
    if (take(",")) {
      high = number(most);
      if (!high) most = kUnbounded;
      if (!low) least = 0;
    }
    if ((!low && !high) || !take("}")) {
      at_ = start;
      return false;
    }
    if (least > kMaxRepeat || (most != kUnbounded && most > kMaxRepeat)) {
      throw Error(XC_LIMIT_EXCEEDED, "a counted repetition may go up to 1000", "pattern", at_ - begin_);
    }
    if (least > most) fail("a repetition whose least is more than its most");
    return true;
  }

  Tree repeated(Tree atom, const Flags& flags) {
    for (uint32_t chained = 0;; ++chained) {
      if (chained > kMaxDepth) throw Error(XC_LIMIT_EXCEEDED, "more than 100 repetitions of repetitions", "pattern");
      if (flags.extended) skip_comments();
      if (ends()) return atom;
      uint32_t least = 0, most = kUnbounded;
      bool braces = false;
      if (take("*")) {
      } else if (take("+")) {
        least = 1;
      } else if (take("?")) {
        most = 1;
      } else if (*at_ == '{') {
        if (!interval(least, most)) return atom;
        braces = true;
      } else {
        return atom;
      }
      if (atom->kind == Node::anchor || atom->kind == Node::look) {
        // Matching nothing once or often is the same.
        if (least > 1) least = 1;
        if (most > 1) most = 1;
      }
      Tree out = node(Node::repeat);
      out->least = least;
      out->most = most;
      if (take("?")) {
        out->mode = Node::lazy;
      } else if ((!braces || dialect_ == Dialect::fancy) && take("+")) {
        out->mode = Node::possessive;
      }
      out->children.push_back(std::move(atom));
      atom = std::move(out);
    }
  }

  std::string name(char close) {
    std::string out;
    while (!ends() && *at_ != static_cast<uint8_t>(close)) out += static_cast<char>(*at_++);
    if (!take(std::string_view(&close, 1)) || out.empty()) fail("a group's name is not closed");
    return out;
  }

  Tree close(Tree tree) {
    if (!take(")")) fail("missing )");
    return tree;
  }

  // After "(". Null when it only set flags.
  Tree group(Flags& flags) {
    const auto wrap = [&](Node::Kind kind, Op op) {
      Tree out = node(kind);
      out->op = op;
      out->children.push_back(alternatives(flags));
      return close(std::move(out));
    };
    if (!take("?")) return captured(flags, {});
    if (take(":")) return close(alternatives(flags));
    if (take(">")) return wrap(Node::atomic, Op::atomic);
    if (take("=")) return wrap(Node::look, Op::ahead);
    if (take("!")) return wrap(Node::look, Op::not_ahead);
    if (take("<=")) return wrap(Node::look, Op::behind);
    if (take("<!")) return wrap(Node::look, Op::not_behind);
    if (take("P<") || take("<")) return captured(flags, name('>'));
    if (take("'")) return captured(flags, name('\''));
    if (take("#")) {
      while (!ends() && *at_ != ')') ++at_;
      close(nullptr);
      return nullptr;
    }
    Flags changed = flags;
    bool value = true;
    for (;;) {
      if (ends()) fail("the group does not end");
      const char c = static_cast<char>(*at_++);
      switch (c) {
        case '-': value = false; break;
        case 'i': changed.ignore_case = value; break;
        case 'x': changed.extended = value; break;
        case 'm': (dialect_ == Dialect::oniguruma ? changed.dot_all : changed.lines) = value; break;
        case 's': changed.dot_all = value; break;
        case 'u': break;
        case ')': flags = changed; return nullptr;
        case ':': return close(alternatives(changed));
        default: --at_; unsupported("this kind of group");
      }
    }
  }

  Tree captured(const Flags& flags, std::string own_name) {
    Tree out = node(Node::capture);
    out->group = ++syntax_.groups;
    if (!own_name.empty()) names_.emplace_back(std::move(own_name), out->group);
    out->children.push_back(alternatives(flags));
    return close(std::move(out));
  }

  Tree anchor(Op op) {
    Tree out = node(Node::anchor);
    out->op = op;
    return out;
  }
  Tree of_ranges(RangeSet ranges, bool stray, const Flags& flags) {
    Tree out = node(Node::set);
    if (flags.ignore_case) ranges.ignore_case();
    out->ranges = std::move(ranges);
    out->stray = stray;
    return out;
  }
  Tree of_character(uint32_t c, const Flags& flags) { return of_ranges({{c, c}}, false, flags); }

  Tree single(const Flags& flags) {
    switch (*at_) {
      case '.': {
        ++at_;
        RangeSet all{{0, kLastCodePoint}};
        if (!flags.dot_all) all = {{0, 9}, {11, kLastCodePoint}};
        return of_ranges(std::move(all), true, Flags{});
      }
      case '^': ++at_; return anchor(flags.lines ? Op::line_begin : Op::text_begin);
      case '$': ++at_; return anchor(flags.lines ? Op::line_end : Op::text_end);
      case '[': {
        ++at_;
        const Class c = char_class(flags);
        return of_ranges(c.ranges, c.stray, Flags{});
      }
      case '*':
      case '+':
      case '?': fail("nothing to repeat");
      case '\\': return escape(flags);
      default: return of_character(character(), flags);
    }
  }

  struct Class {
    RangeSet ranges;
    bool stray = false;
  };
  static Class inverted(Class c) {
    c.ranges.invert();
    c.stray = !c.stray;
    return c;
  }
  static Class named(const char* property_name, bool inverse) {
    Class c;
    property(property_name, c.ranges);
    return inverse ? inverted(std::move(c)) : c;
  }

  // The class of \d \D \s \S \w \W \h \H \p{..} \P{..}, with at_ on the letter. False when it is another escape.
  bool class_escape(Class& out) {
    switch (*at_) {
      case 'd': case 'D': out = named("Nd", *at_ == 'D'); break;
      case 's': case 'S': out = named("White_Space", *at_ == 'S'); break;
      case 'w': case 'W': out = named("word", *at_ == 'W'); break;
      case 'h': case 'H': out = named("xdigit", *at_ == 'H'); break;
      case 'p':
      case 'P': {
        bool inverse = *at_ == 'P';
        ++at_;
        std::string wanted;
        if (take("{")) {
          if (take("^")) inverse = !inverse;
          wanted = name('}');
        } else if (!ends()) {
          append_utf8(wanted, character());
        }
        Class c;
        if (!property(wanted, c.ranges)) {
          throw Error(XC_UNSUPPORTED, "regular expression: the character property '" + wanted.substr(0, 60) + "' is not known", "pattern", at_ - begin_);
        }
        out = inverse ? inverted(std::move(c)) : std::move(c);
        return true;
      }
      default: return false;
    }
    ++at_;
    return true;
  }

  uint32_t hexadecimal(int least, int most) {
    uint32_t value = 0;
    int digits = 0;
    for (; digits < most && !ends(); ++digits, ++at_) {
      const uint8_t c = *at_;
      const int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (d < 0) break;
      value = value * 16 + static_cast<uint32_t>(d);
    }
    if (digits < least || value > kLastCodePoint) fail("not a character in hexadecimal");
    return value;
  }

  // The character of an escape like \n or \x{61}, with at_ after the backslash.
  uint32_t character_escape() {
    const uint32_t c = character();
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
        if (take("{")) {
          const uint32_t value = hexadecimal(1, 8);
          if (!take("}")) fail("missing }");
          return value;
        }
        return c == 'x' ? hexadecimal(1, 2) : hexadecimal(4, 4);
      default:
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9')) {
          --at_;
          unsupported("this escape");
        }
        return c;
    }
  }

  Tree escape(const Flags& flags) {
    ++at_;
    if (ends()) fail("the expression ends with a backslash");
    Class c;
    if (class_escape(c)) return of_ranges(std::move(c.ranges), c.stray, Flags{});
    switch (*at_) {
      case 'A': ++at_; return anchor(Op::text_begin);
      case 'z': ++at_; return anchor(Op::text_end);
      case 'Z': ++at_; return anchor(Op::text_end_newline);
      case 'b': ++at_; return anchor(Op::word_boundary);
      case 'B': ++at_; return anchor(Op::no_word_boundary);
      case 'R': {
        ++at_;
        Tree crlf = node(Node::sequence);
        crlf->children.push_back(of_character('\r', Flags{}));
        crlf->children.push_back(of_character('\n', Flags{}));
        Tree either = node(Node::alternatives);
        either->children.push_back(std::move(crlf));
        either->children.push_back(of_ranges({{10, 13}, {0x85, 0x85}, {0x2028, 0x2029}}, false, Flags{}));
        Tree out = node(Node::atomic);
        out->op = Op::atomic;
        out->children.push_back(std::move(either));
        return out;
      }
      case 'k': {
        ++at_;
        if (!take("<")) fail("expected \\k<name>");
        Tree out = reference(flags);
        named_references_.emplace_back(out.get(), name('>'));
        return out;
      }
      default: break;
    }
    if (*at_ >= '1' && *at_ <= '9') {
      Tree out = reference(flags);
      uint32_t number = 0;
      for (; !ends() && *at_ >= '0' && *at_ <= '9'; ++at_) number = std::min(number * 10 + (*at_ - '0'), 100000u);
      out->group = number;
      references_.push_back(out.get());
      return out;
    }
    return of_character(character_escape(), flags);
  }

  Tree reference(const Flags& flags) {
    syntax_.has_back_references = true;
    Tree out = node(Node::back_reference);
    out->ignore_case = flags.ignore_case;
    return out;
  }

  // After "[".
  Class char_class(const Flags& flags) {
    const Nesting nesting(*this);
    const bool inverse = take("^");
    Class result;
    bool has_result = false;  // of what stands before &&
    Class part;
    bool first = true;
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
    for (;; first = false) {
      if (ends()) fail("missing ]");
      if (*at_ == ']' && !first) {
        ++at_;
        break;
      }
      if (take("&&")) {
        settle();
        continue;
      }
      if (next_is("[:")) {
        Class c;
        if (posix(c)) {
          join(c);
          continue;
        }
      }
      if (take("[")) {
        join(char_class(flags));
        continue;
      }
      uint32_t low;
      if (*at_ == '\\') {
        ++at_;
        if (ends()) fail("missing ]");
        Class c;
        if (class_escape(c)) {
          join(c);
          continue;
        }
        low = take("b") ? 8 : character_escape();
      } else {
        low = character();
      }
      uint32_t high = low;
      if (next_is("-") && end_ - at_ >= 2 && at_[1] != ']' && !(at_[1] == '&' && end_ - at_ >= 3 && at_[2] == '&')) {
        const uint8_t* const dash = at_;
        ++at_;
        if (*at_ == '[') {
          at_ = dash;
        } else if (*at_ == '\\') {
          ++at_;
          if (ends()) fail("missing ]");
          Class c;
          if (class_escape(c)) {  // [a-\d]: the dash stands for itself
            part.ranges.add('-', '-');
            join(c);
          } else {
            high = character_escape();
          }
        } else {
          high = character();
        }
        if (high < low) fail("a range whose end comes before its begin");
      }
      part.ranges.add(low, high);
    }
    settle();
    if (flags.ignore_case) result.ranges.ignore_case();
    return inverse ? inverted(std::move(result)) : result;
  }

  bool posix(Class& out) {
    const uint8_t* const start = at_;
    at_ += 2;
    const bool inverse = take("^");
    std::string wanted;
    while (!ends() && *at_ >= 'a' && *at_ <= 'z') wanted += static_cast<char>(*at_++);
    static const char* const known[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "xdigit", "word"};
    const bool is_known = std::any_of(std::begin(known), std::end(known), [&](const char* k) { return wanted == k; });
    if (!is_known || !take(":]") || !property(wanted, out.ranges)) {
      at_ = start;
      out = Class{};
      return false;
    }
    if (inverse) out = inverted(std::move(out));
    return true;
  }

  std::string_view pattern_;
  Dialect dialect_;
  const uint8_t* begin_;
  const uint8_t* end_;
  const uint8_t* at_;
  uint32_t depth_ = 0;
  Syntax syntax_;
  std::vector<std::pair<std::string, uint32_t>> names_;
  std::vector<std::pair<Node*, std::string>> named_references_;
  std::vector<const Node*> references_;
};

}  // namespace

Syntax parse(std::string_view pattern, Dialect dialect) { return Parser(pattern, dialect).run(); }

}  // namespace xcore::tokenizer::regex
