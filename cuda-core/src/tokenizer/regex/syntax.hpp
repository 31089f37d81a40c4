// The syntax tree between parser and compiler.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex/regex.hpp"

namespace xcore::tokenizer::regex {

struct Node;
using Tree = std::unique_ptr<Node>;

struct Node {
  enum Kind : uint8_t { set, sequence, alternatives, repeat, capture, atomic, look, anchor, back_reference } kind;
  RangeSet ranges;             // set
  bool stray = false;          // set: holds stray bytes as well
  std::vector<Tree> children;
  uint32_t least = 0, most = 0;                     // repeat
  enum Mode : uint8_t { greedy, lazy, possessive } mode = greedy;
  Op op = Op::fail;            // anchor, look
  uint32_t group = 0;          // capture, back_reference
  bool ignore_case = false;    // back_reference

  explicit Node(Kind k) : kind(k) {}
};

struct Syntax {
  Tree root;
  uint32_t groups = 0;             // numbered 1..groups
  bool has_back_references = false;
};

inline constexpr uint32_t kMaxDepth = 100;       // of groups and classes
inline constexpr uint32_t kMaxRepeat = 1000;     // of a counted repetition
inline constexpr size_t kMaxCode = 20'000;       // instructions
inline constexpr size_t kMaxPattern = 1 << 16;   // bytes

Syntax parse(std::string_view pattern, Dialect dialect);
// Numbers of characters that the tree can match, most = kUnbounded for no bound.
struct Width {
  uint32_t least, most;
};
Width width_of(const Node& node);
Program compile(const Syntax& syntax);

}  // namespace xcore::tokenizer::regex
