#include <algorithm>
#include <utility>

#include "tokenizer/regex/char_class.hpp"

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
  Parser(std::string_view pattern, Dialect dialect) : in_(pattern), dialect_(dialect) {}

  Syntax run() {
    if (in_.left() > kMaxPattern) in_.too_much("a regular expression may have up to 64 KiB");
    Flags flags;
    flags.lines = dialect_ == Dialect::oniguruma;
    syntax_.root = alternatives(flags);
    if (!in_.ends()) in_.fail("unmatched )");
    for (const auto& [node, name] : named_references_) {
      uint32_t group = 0;
      for (const auto& [known, number] : names_) {
        if (known == name) group = number;
      }
      if (group == 0) in_.fail("reference to an unknown group");
      node->group = group;
    }
    for (const Node* node : references_) {
      if (node->group == 0 || node->group > syntax_.groups) in_.fail("reference to an unknown group");
    }
    return std::move(syntax_);
  }

 private:
  static Tree node(Node::Kind kind) { return std::make_unique<Node>(kind); }

  Tree alternatives(Flags flags) {
    const Cursor::Nesting nesting(in_);
    std::vector<Tree> list;
    list.push_back(sequence(flags));
    while (in_.take("|")) list.push_back(sequence(flags));
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
      if (in_.ends() || in_.next_is("|") || in_.next_is(")")) return out;
      Tree atom;
      if (in_.take("(")) {
        atom = group(flags);
        if (!atom) continue;  // flags alone
      } else {
        atom = single(flags);
      }
      out->children.push_back(repeated(std::move(atom), flags));
    }
  }

  void skip_comments() {
    while (!in_.ends()) {
      if (in_.peek() == ' ' || (in_.peek() >= '\t' && in_.peek() <= '\r')) {
        in_.skip();
      } else if (in_.peek() == '#') {
        while (!in_.ends() && in_.peek() != '\n') in_.skip();
      } else {
        return;
      }
    }
  }

  // {n}, {n,}, {n,m}, {,m} at a '{'. False, and nothing read, when it is none.
  bool interval(uint32_t& least, uint32_t& most) {
    const uint8_t* const start = in_.mark();
    const auto number = [&](uint32_t& out) {
      const uint8_t* const first = in_.mark();
      uint64_t n = 0;
      for (; !in_.ends() && in_.peek() >= '0' && in_.peek() <= '9'; in_.skip()) n = std::min<uint64_t>(n * 10 + (in_.peek() - '0'), 1u << 30);
      out = static_cast<uint32_t>(n);
      return in_.mark() != first;
    };
    in_.skip();
    const bool low = number(least);
    bool high = low;
    most = least;
    if (in_.take(",")) {
      high = number(most);
      if (!high) most = kUnbounded;
      if (!low) least = 0;
    }
    if ((!low && !high) || !in_.take("}")) {
      in_.reset(start);
      return false;
    }
    if (least > kMaxRepeat || (most != kUnbounded && most > kMaxRepeat)) in_.too_much("a counted repetition may go up to 1000");
    if (least > most) in_.fail("a repetition whose least is more than its most");
    return true;
  }

  Tree repeated(Tree atom, const Flags& flags) {
    for (uint32_t chained = 0;; ++chained) {
      if (chained > kMaxDepth) in_.too_much("more than 100 repetitions of repetitions");
      if (flags.extended) skip_comments();
      if (in_.ends()) return atom;
      uint32_t least = 0, most = kUnbounded;
      bool braces = false;
      if (in_.take("*")) {
      } else if (in_.take("+")) {
        least = 1;
      } else if (in_.take("?")) {
        most = 1;
      } else if (in_.peek() == '{') {
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
      if (in_.take("?")) {
        out->mode = Node::lazy;
      } else if ((!braces || dialect_ == Dialect::fancy) && in_.take("+")) {
        out->mode = Node::possessive;
      }
      out->children.push_back(std::move(atom));
      atom = std::move(out);
    }
  }

  Tree close(Tree tree) {
    if (!in_.take(")")) in_.fail("missing )");
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
    if (!in_.take("?")) return captured(flags, {});
    if (in_.take(":")) return close(alternatives(flags));
    if (in_.take(">")) return wrap(Node::atomic, Op::atomic);
    if (in_.take("=")) return wrap(Node::look, Op::ahead);
    if (in_.take("!")) return wrap(Node::look, Op::not_ahead);
    if (in_.take("<=")) return wrap(Node::look, Op::behind);
    if (in_.take("<!")) return wrap(Node::look, Op::not_behind);
    if (in_.take("P<") || in_.take("<")) return captured(flags, in_.name('>'));
    if (in_.take("'")) return captured(flags, in_.name('\''));
    if (in_.take("#")) {
      while (!in_.ends() && in_.peek() != ')') in_.skip();
      close(nullptr);
      return nullptr;
    }
    Flags changed = flags;
    bool value = true;
    for (;;) {
      if (in_.ends()) in_.fail("the group does not end");
      const char c = static_cast<char>(in_.byte());
      switch (c) {
        case '-': value = false; break;
        case 'i': changed.ignore_case = value; break;
        case 'x': changed.extended = value; break;
        case 'm': (dialect_ == Dialect::oniguruma ? changed.dot_all : changed.lines) = value; break;
        case 's': changed.dot_all = value; break;
        case 'u': break;
        case ')': flags = changed; return nullptr;
        case ':': return close(alternatives(changed));
        default: in_.back(); in_.unsupported("this kind of group");
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
    switch (in_.peek()) {
      case '.': {
        in_.skip();
        RangeSet all{{0, kLastCodePoint}};
        if (!flags.dot_all) all = {{0, 9}, {11, kLastCodePoint}};
        return of_ranges(std::move(all), true, Flags{});
      }
      case '^': in_.skip(); return anchor(flags.lines ? Op::line_begin : Op::text_begin);
      case '$': in_.skip(); return anchor(flags.lines ? Op::line_end : Op::text_end);
      case '[': {
        in_.skip();
        const Class c = char_class(in_, flags.ignore_case);
        return of_ranges(c.ranges, c.stray, Flags{});
      }
      case '*':
      case '+':
      case '?': in_.fail("nothing to repeat");
      case '\\': return escape(flags);
      default: return of_character(in_.character(), flags);
    }
  }

  Tree escape(const Flags& flags) {
    in_.skip();
    if (in_.ends()) in_.fail("the expression ends with a backslash");
    Class c;
    if (class_escape(in_, c)) return of_ranges(std::move(c.ranges), c.stray, Flags{});
    switch (in_.peek()) {
      case 'A': in_.skip(); return anchor(Op::text_begin);
      case 'z': in_.skip(); return anchor(Op::text_end);
      case 'Z': in_.skip(); return anchor(Op::text_end_newline);
      case 'b': in_.skip(); return anchor(Op::word_boundary);
      case 'B': in_.skip(); return anchor(Op::no_word_boundary);
      case 'R': {
        in_.skip();
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
        in_.skip();
        if (!in_.take("<")) in_.fail("expected \\k<name>");
        Tree out = reference(flags);
        named_references_.emplace_back(out.get(), in_.name('>'));
        return out;
      }
      default: break;
    }
    if (in_.peek() >= '1' && in_.peek() <= '9') {
      Tree out = reference(flags);
      uint32_t number = 0;
      for (; !in_.ends() && in_.peek() >= '0' && in_.peek() <= '9'; in_.skip()) number = std::min(number * 10 + (in_.peek() - '0'), 100000u);
      out->group = number;
      references_.push_back(out.get());
      return out;
    }
    return of_character(character_escape(in_), flags);
  }

  Tree reference(const Flags& flags) {
    syntax_.has_back_references = true;
    Tree out = node(Node::back_reference);
    out->ignore_case = flags.ignore_case;
    return out;
  }

  Cursor in_;
  Dialect dialect_;
  Syntax syntax_;
  std::vector<std::pair<std::string, uint32_t>> names_;
  std::vector<std::pair<Node*, std::string>> named_references_;
  std::vector<const Node*> references_;
};

}  // namespace

Syntax parse(std::string_view pattern, Dialect dialect) { return Parser(pattern, dialect).run(); }

}  // namespace xcore::tokenizer::regex
