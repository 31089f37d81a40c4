#include <algorithm>

#include "runtime/error.hpp"
#include "tokenizer/regex/syntax.hpp"

namespace xcore::tokenizer::regex {
namespace {

uint32_t sum(uint32_t a, uint32_t b) {
  return a == kUnbounded || b == kUnbounded ? kUnbounded : static_cast<uint32_t>(std::min<uint64_t>(uint64_t{a} + b, kUnbounded - 1));
}
uint32_t product(uint32_t a, uint32_t b) {
  if (a == 0 || b == 0) return 0;
  return a == kUnbounded || b == kUnbounded ? kUnbounded : static_cast<uint32_t>(std::min<uint64_t>(uint64_t{a} * b, kUnbounded - 1));
}

class Compiler {
 public:
  explicit Compiler(const Syntax& syntax) : syntax_(syntax) {
    program_.slots = syntax.has_back_references ? 2 * (syntax.groups + 1) : 0;
  }

  Program run() {
    emit(*syntax_.root);
    add({Op::done});
    RangeSet first;
    bool stray = false;
    if (width_of(*syntax_.root).least > 0 && first_of(*syntax_.root, first, stray)) {
      first.normalise();
      program_.first_known = true;
      program_.first = static_cast<uint32_t>(program_.sets.size());
      program_.sets.emplace_back(first, stray);
    }
    return std::move(program_);
  }

 private:
  uint32_t here() const { return static_cast<uint32_t>(program_.code.size()); }
  uint32_t add(const Instruction& i) {
    if (program_.code.size() >= kMaxCode) throw Error(XC_LIMIT_EXCEEDED, "the regular expression is too large", "pattern");
    program_.code.push_back(i);
    return here() - 1;
  }
  uint32_t set_of(const Node& n) {
    for (const auto& [known, index] : sets_) {
      if (known->stray == n.stray && known->ranges.ranges().size() == n.ranges.ranges().size() &&
          std::equal(known->ranges.ranges().begin(), known->ranges.ranges().end(), n.ranges.ranges().begin(),
                     [](const CodeRange& a, const CodeRange& b) { return a.first == b.first && a.last == b.last; })) {
        return index;
      }
    }
    // 8 KiB each.
    if (program_.sets.size() >= 2000) throw Error(XC_LIMIT_EXCEEDED, "more than 2000 different character classes", "pattern");
    program_.sets.emplace_back(n.ranges, n.stray);
    sets_.emplace_back(&n, static_cast<uint32_t>(program_.sets.size() - 1));
    return sets_.back().second;
  }
  static bool is_single(const Node& n) {
    return !n.stray && n.ranges.ranges().size() == 1 && n.ranges.ranges()[0].first == n.ranges.ranges()[0].last;
  }

  void emit(const Node& n) {
    switch (n.kind) {
      case Node::set:
        if (is_single(n)) {
          add({Op::character, n.ranges.ranges()[0].first});
        } else {
          add({Op::set, set_of(n)});
        }
        return;
      case Node::sequence:
        for (const Tree& c : n.children) emit(*c);
        return;
      case Node::alternatives: emit_alternatives(n); return;
      case Node::repeat: emit_repeat(n); return;
      case Node::capture:
        if (syntax_.has_back_references) add({Op::save, 2 * n.group});
        emit(*n.children[0]);
        if (syntax_.has_back_references) add({Op::save, 2 * n.group + 1});
        return;
      case Node::atomic: emit_aside(n, Op::atomic); return;
      case Node::look:
        if (n.op == Op::behind || n.op == Op::not_behind) {
          emit_behind(n);
        } else {
          emit_aside(n, n.op);
        }
        return;
      case Node::anchor: add({n.op}); return;
      case Node::back_reference: add({Op::back_reference, n.group, n.ignore_case}); return;
    }
  }

  void emit_alternatives(const Node& n) {
    std::vector<uint32_t> exits;
    for (size_t i = 0; i < n.children.size(); ++i) {
      const bool last = i + 1 == n.children.size();
      const uint32_t split = last ? 0 : add({Op::split});
      if (!last) program_.code[split].a = here();
      emit(*n.children[i]);
      if (last) break;
      exits.push_back(add({Op::jump}));
      program_.code[split].b = here();
    }
    for (const uint32_t e : exits) program_.code[e].a = here();
  }

  // Code that runs by itself: its result is kept, its ways back are not.
  void emit_aside(const Node& n, Op op) {
    const uint32_t start = add({op});
    program_.code[start].a = here();
    emit(*n.children[0]);
    add({Op::done});
    program_.code[start].b = here();
  }

  void emit_behind(const Node& n) {
    const uint32_t start = add({n.op});
    const auto list = static_cast<uint32_t>(program_.lookbehinds.size());
    program_.lookbehinds.emplace_back();
    const Node& body = *n.children[0];
    std::vector<const Node*> ways;
    if (body.kind == Node::alternatives) {
      for (const Tree& c : body.children) ways.push_back(c.get());
    } else {
      ways.push_back(&body);
    }
    for (const Node* way : ways) {
      const Width w = width_of(*way);
      if (w.least != w.most) {
        throw Error(XC_UNSUPPORTED, "regular expression: a lookbehind whose alternatives have no fixed length", "pattern");
      }
      program_.lookbehinds[list].push_back({w.least, here()});
      emit(*way);
      add({Op::done});
    }
    program_.code[start].least = list;
    program_.code[start].b = here();
  }

  void emit_repeat(const Node& n) {
    const Node& body = *n.children[0];
    if (n.most == 0) return;
    if (body.kind == Node::set) {
      const Op op = n.mode == Node::greedy ? Op::repeat_greedy : n.mode == Node::lazy ? Op::repeat_lazy : Op::repeat_possessive;
      Instruction i{op, set_of(body)};
      i.least = n.least;
      i.most = n.most;
      add(i);
      return;
    }
    if (n.mode == Node::possessive) {
      const uint32_t start = add({Op::atomic});
      program_.code[start].a = here();
      emit_loop(body, n.least, n.most, true);
      add({Op::done});
      program_.code[start].b = here();
      return;
    }
    emit_loop(body, n.least, n.most, n.mode == Node::greedy);
  }

  void emit_loop(const Node& body, uint32_t least, uint32_t most, bool greedy) {
    for (uint32_t i = 0; i < least; ++i) emit(body);
    const auto set_split = [&](uint32_t split, uint32_t inside, uint32_t outside) {
      program_.code[split].a = greedy ? inside : outside;
      program_.code[split].b = greedy ? outside : inside;
    };
    if (most == kUnbounded) {
      // An iteration that matched nothing ends the loop.
      const bool check = width_of(body).least == 0;
      const uint32_t slot = check ? program_.slots++ : 0;
      const uint32_t split = add({Op::split});
      const uint32_t inside = here();
      if (check) add({Op::loop_begin, slot});
      emit(body);
      if (check) add({Op::loop_check, slot});
      add({Op::jump, split});
      set_split(split, inside, here());
      return;
    }
    std::vector<uint32_t> splits;
    for (uint32_t i = least; i < most; ++i) {
      splits.push_back(add({Op::split}));
      const uint32_t inside = here();
      set_split(splits.back(), inside, 0);
      emit(body);
    }
    for (const uint32_t s : splits) (greedy ? program_.code[s].b : program_.code[s].a) = here();
  }

  // Adds the characters that a match of a tree that matches something can begin with. False when they are not known.
  bool first_of(const Node& n, RangeSet& out, bool& stray) const {
    switch (n.kind) {
      case Node::set:
        out.add(n.ranges);
        stray = stray || n.stray;
        return true;
      case Node::sequence:
        for (const Tree& c : n.children) {
          const Width w = width_of(*c);
          if (w.most == 0) continue;  // an anchor or a look
          if (!first_of(*c, out, stray)) return false;
          if (w.least > 0) return true;
        }
        return false;
      case Node::alternatives:
        return std::all_of(n.children.begin(), n.children.end(), [&](const Tree& c) { return first_of(*c, out, stray); });
      case Node::repeat:
      case Node::capture:
      case Node::atomic: return first_of(*n.children[0], out, stray);
      default: return false;
    }
  }

  const Syntax& syntax_;
  Program program_;
  std::vector<std::pair<const Node*, uint32_t>> sets_;
};

}  // namespace

Width width_of(const Node& n) {
  switch (n.kind) {
    case Node::set: return {1, 1};
    case Node::sequence: {
      Width w{0, 0};
      for (const Tree& c : n.children) {
        const Width x = width_of(*c);
        w = {sum(w.least, x.least), sum(w.most, x.most)};
      }
      return w;
    }
    case Node::alternatives: {
      Width w{kUnbounded, 0};
      for (const Tree& c : n.children) {
        const Width x = width_of(*c);
        w = {std::min(w.least, x.least), std::max(w.most, x.most)};
      }
      return w;
    }
    case Node::repeat: {
      const Width x = width_of(*n.children[0]);
      return {product(x.least, n.least), product(x.most, n.most)};
    }
    case Node::capture:
    case Node::atomic: return width_of(*n.children[0]);
    case Node::look:
    case Node::anchor: return {0, 0};
    case Node::back_reference: return {0, kUnbounded};
  }
  return {0, kUnbounded};
}

Program compile(const Syntax& syntax) { return Compiler(syntax).run(); }

}  // namespace xcore::tokenizer::regex
