#include <algorithm>
#include <cstring>

#include "runtime/error.hpp"
#include "tokenizer/regex/syntax.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace xcore::tokenizer::regex {
namespace {

// A way back. Branches say where to go on; slots are restored on the way.
struct Frame {
  enum Kind : uint32_t { branch, greedy, lazy, slot } kind;
  uint32_t code;        // branch, greedy, lazy: address; slot: its number
  const uint8_t* at;    // greedy: the end of the run; slot: its old value
  const uint8_t* stop;  // greedy: where the run must not become shorter
  uint32_t left;        // lazy: characters that may still be taken
};

class Matcher {
 public:
  Matcher(const Program& program, const uint8_t* begin, const uint8_t* end, Budget& budget)
      : program_(program), begin_(begin), end_(end), budget_(budget), slots_(program.slots, nullptr) {}

  // The end of the match from `at`, or null.
  const uint8_t* run(uint32_t start, const uint8_t* at) {
    const size_t base = frames_.size();
    uint32_t pc = start;
    uint64_t steps = 0;
    for (;;) {
      if (++steps >= 1024) {
        budget_.spend(steps);
        steps = 0;
      }
      const Instruction& i = program_.code[pc];
      bool ok = true;
      switch (i.op) {
        case Op::character:
          ok = take(at, [&](uint32_t c) { return c == i.a; });
          ++pc;
          break;
        case Op::set: {
          const CharSet& set = program_.sets[i.a];
          ok = take(at, [&](uint32_t c) { return set[c]; });
          ++pc;
          break;
        }
        case Op::repeat_greedy:
        case Op::repeat_possessive:
          ok = repeat(i, pc, at, steps);
          ++pc;
          break;
        case Op::repeat_lazy: {
          uint32_t n = 0;
          const CharSet& set = program_.sets[i.a];
          while (n < i.least && take(at, [&](uint32_t c) { return set[c]; })) ++n;
          ok = n == i.least;
          if (ok && i.most > n) push({Frame::lazy, pc, at, nullptr, i.most == kUnbounded ? kUnbounded : i.most - n});
          ++pc;
          break;
        }
        case Op::split:
          push({Frame::branch, i.b, at, nullptr, 0});
          pc = i.a;
          break;
        case Op::jump: pc = i.a; break;
        case Op::line_begin:
        case Op::line_end:
        case Op::text_begin:
        case Op::text_end:
        case Op::text_end_newline:
        case Op::word_boundary:
        case Op::no_word_boundary:
          ok = holds(i.op, at);
          ++pc;
          break;
        case Op::atomic: {
          const uint8_t* const stop = run(i.a, at);
          ok = stop != nullptr;
          at = stop;
          pc = i.b;
          break;
        }
        case Op::ahead:
        case Op::not_ahead:
          ok = (run(i.a, at) != nullptr) == (i.op == Op::ahead);
          pc = i.b;
          break;
        case Op::behind:
        case Op::not_behind:
          ok = stands_behind(program_.lookbehinds[i.least], at) == (i.op == Op::behind);
          pc = i.b;
          break;
        case Op::save:
        case Op::loop_begin:
          push({Frame::slot, i.a, slots_[i.a], nullptr, 0});
          slots_[i.a] = at;
          ++pc;
          break;
        case Op::loop_check:
          // Nothing was matched this time round: leave the loop, whose jump follows.
          pc = slots_[i.a] == at ? pc + 2 : pc + 1;
          break;
        case Op::back_reference:
          ok = refer(i, at, steps);
          ++pc;
          break;
        case Op::done:
          budget_.spend(steps);
          commit(base);
          return at;
        case Op::any:
        case Op::fail: ok = false; break;
      }
      if (ok) continue;
      if (!resume(base, pc, at, steps)) {
        budget_.spend(steps);
        return nullptr;
      }
    }
  }

 private:
  void push(const Frame& frame) {
    // 40 bytes each: 400 MB would be a denial of service by itself.
    if (frames_.size() >= 4'000'000) {
      throw Error(XC_LIMIT_EXCEEDED, "the regular expression needs more than 4 million ways back on this text", "pattern");
    }
    frames_.push_back(frame);
  }

  template <class F>
  bool take(const uint8_t*& at, F&& wanted) const {
    if (at >= end_) return false;
    const CodePoint c = decode_utf8(at, end_);
    if (!wanted(c.value)) return false;
    at += c.length;
    return true;
  }

  bool repeat(const Instruction& i, uint32_t pc, const uint8_t*& at, uint64_t& steps) {
    const CharSet& set = program_.sets[i.a];
    const uint8_t* least = i.least == 0 ? at : nullptr;
    uint32_t n = 0;
    const uint8_t* const start = at;
    while (n < i.most && take(at, [&](uint32_t c) { return set[c]; })) {
      if (++n == i.least) least = at;
    }
    steps += static_cast<uint64_t>(at - start) / 8;
    if (!least) return false;
    if (i.op == Op::repeat_greedy && at > least) push({Frame::greedy, pc + 1, at, least, 0});
    return true;
  }

  bool is_word_at(const uint8_t* p) const { return p < end_ && word_characters()[decode_utf8(p, end_).value]; }
  bool holds(Op op, const uint8_t* at) const {
    switch (op) {
      case Op::line_begin: return at == begin_ || at[-1] == '\n';
      case Op::line_end: return at == end_ || *at == '\n';
      case Op::text_begin: return at == begin_;
      case Op::text_end: return at == end_;
      case Op::text_end_newline: return at == end_ || (*at == '\n' && at + 1 == end_);
      default: {
        const bool before = at > begin_ && word_characters()[decode_utf8_before(begin_, at).value];
        return (before != is_word_at(at)) == (op == Op::word_boundary);
      }
    }
  }

  bool stands_behind(const std::vector<Behind>& ways, const uint8_t* at) {
    for (const Behind& way : ways) {
      const uint8_t* p = at;
      uint32_t n = 0;
      for (; n < way.characters && p > begin_; ++n) p -= decode_utf8_before(begin_, p).length;
      budget_.spend(n + 1);
      if (n == way.characters && run(way.code, p) == at) return true;
    }
    return false;
  }

  bool refer(const Instruction& i, const uint8_t*& at, uint64_t& steps) const {
    const uint8_t* from = slots_[2 * i.a];
    const uint8_t* const to = slots_[2 * i.a + 1];
    if (!from || !to || to < from) return false;
    steps += static_cast<uint64_t>(to - from);
    while (from < to) {
      if (at >= end_) return false;
      const CodePoint a = decode_utf8(from, to);
      const CodePoint b = decode_utf8(at, end_);
      bool same = a.value == b.value && (a.value != kInvalid || *from == *at);
      if (!same && i.b) {
        for (uint32_t c = next_of_equal_case(a.value); c != a.value && !same; c = next_of_equal_case(c)) same = c == b.value;
      }
      if (!same) return false;
      from += a.length;
      at += b.length;
    }
    return true;
  }

  // Drops the ways back of a finished run. Slots keep what it put there; their restoring stays for the run around it.
  void commit(size_t base) {
    size_t out = base;
    for (size_t k = base; k < frames_.size(); ++k) {
      if (frames_[k].kind == Frame::slot) frames_[out++] = frames_[k];
    }
    frames_.resize(out);
  }

  bool resume(size_t base, uint32_t& pc, const uint8_t*& at, uint64_t& steps) {
    while (frames_.size() > base) {
      ++steps;
      Frame& f = frames_.back();
      switch (f.kind) {
        case Frame::slot:
          slots_[f.code] = f.at;
          frames_.pop_back();
          continue;
        case Frame::branch:
          pc = f.code;
          at = f.at;
          frames_.pop_back();
          return true;
        case Frame::greedy:
          f.at -= decode_utf8_before(f.stop, f.at).length;
          pc = f.code;
          at = f.at;
          if (f.at <= f.stop) frames_.pop_back();
          return true;
        case Frame::lazy: {
          const CharSet& set = program_.sets[program_.code[f.code].a];
          if (!take(f.at, [&](uint32_t c) { return set[c]; })) {
            frames_.pop_back();
            continue;
          }
          pc = f.code + 1;
          at = f.at;
          if (f.left != kUnbounded && --f.left == 0) frames_.pop_back();
          return true;
        }
      }
    }
    return false;
  }

  const Program& program_;
  const uint8_t* const begin_;
  const uint8_t* const end_;
  Budget& budget_;
  std::vector<const uint8_t*> slots_;
  std::vector<Frame> frames_;
};

}  // namespace

void Budget::exhausted() {
  throw Error(XC_LIMIT_EXCEEDED, "the tokenizer's regular expression takes too many steps on this text", "text");
}

Regex::Regex(std::string_view pattern, Dialect dialect) : pattern_(pattern), dialect_(dialect), program_(compile(parse(pattern, dialect))) {}

bool Regex::match_at(const uint8_t* begin, const uint8_t* end, const uint8_t* at, Match& match, Budget& budget) const {
  Matcher matcher(program_, begin, end, budget);
  const uint8_t* const stop = matcher.run(0, at);
  match = {at, stop};
  return stop != nullptr;
}

bool Regex::find(const uint8_t* begin, const uint8_t* end, const uint8_t* from, Match& match, Budget& budget) const {
  Matcher matcher(program_, begin, end, budget);
  for (const uint8_t* at = from; at <= end;) {
    if (program_.first_known) {
      const CharSet& first = program_.sets[program_.first];
      const uint8_t* const start = at;
      while (at < end) {
        const CodePoint c = decode_utf8(at, end);
        if (first[c.value]) break;
        at += c.length;
      }
      budget.spend(static_cast<uint64_t>(at - start) / 8);
      if (at >= end) return false;
    }
    if (const uint8_t* const stop = matcher.run(0, at)) {
      match = {at, stop};
      return true;
    }
    if (at >= end) return false;
    at += decode_utf8(at, end).length;
  }
  return false;
}

}  // namespace xcore::tokenizer::regex
