// Regular expressions as tokenizer files write them: a backtracking matcher over UTF-8 with the syntax that Oniguruma
// (Hugging Face's tokenizers) and fancy-regex (tiktoken) share, and a bound on its work.
//
//   classes      [...] with ranges, \p{...}, \d \s \w \h, POSIX brackets, nesting, && and ^
//   groups       (...) (?:...) (?<name>...) (?i:...) (?i) (?x) (?m) (?s), atomic (?>...), backreferences \1 \k<name>
//   looking      (?=...) (?!...), and (?<=...) (?<!...) whose alternatives have fixed lengths
//   repetition   * + ? {n} {n,} {n,m} {,m}, lazy with ?, possessive with + (after braces only in fancy-regex)
//   anchors      ^ $ \A \z \Z \b \B
//
// Matching is leftmost and takes the first alternative that succeeds, as in Perl. Case is ignored by simple folding.
// What an expression names but this engine lacks (recursion, conditionals, \X, \K, \G) is XC_UNSUPPORTED.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/unicode/char_set.hpp"

namespace xcore::tokenizer::regex {

// Where the two differ: ^ and $ are line ends in Oniguruma and text ends in fancy-regex; (?m) is "dot matches newline" in
// the one and "line anchors" in the other; {n,m}+ is a repeated repetition in the one and possessive in the other.
enum class Dialect : uint8_t { oniguruma, fancy };

enum class Op : uint8_t {
  character, set, any, fail,
  repeat_greedy, repeat_lazy, repeat_possessive,  // of one set: least, most
  split,            // try a, then b
  jump,             // to a
  line_begin, line_end, text_begin, text_end, text_end_newline, word_boundary, no_word_boundary,
  atomic,           // run from a until `done`; go on at b
  ahead, not_ahead, // run from a until `done`; go on at b
  behind, not_behind,  // alternatives: (characters, code) pairs in lookbehinds[least]; go on at b
  save,             // the position into slot a
  back_reference,   // group a; b: 1 ignores case
  loop_begin,       // the position into slot a
  loop_check,       // fails the iteration when slot a holds the position
  done,
};

struct Instruction {
  Op op;
  uint32_t a = 0, b = 0;      // code addresses, a code point, or an index into sets
  uint32_t least = 0, most = 0;
};

inline constexpr uint32_t kUnbounded = 0xffffffffu;

struct Behind {
  uint32_t characters;
  uint32_t code;
};

struct Program {
  std::vector<Instruction> code;
  std::vector<CharSet> sets;
  std::vector<std::vector<Behind>> lookbehinds;
  uint32_t slots = 0;
  bool first_known = false;  // a match begins with a character of sets[first]
  uint32_t first = 0;
};

// Steps that a matcher may still take. Shared by all matches of a call; throws XC_LIMIT_EXCEEDED when used up.
class Budget {
 public:
  // Enough for any sensible expression on `bytes` of text, and a few hundred milliseconds at most beside that.
  explicit Budget(size_t bytes) : left_(50'000'000 + 500ull * bytes) {}
  void spend(uint64_t steps) {
    if (steps > left_) exhausted();
    left_ -= steps;
  }

 private:
  [[noreturn]] static void exhausted();
  uint64_t left_;
};

struct Match {
  const uint8_t* begin;
  const uint8_t* end;
};

class Regex {
 public:
  // Throws XC_INVALID_FORMAT with the byte offset in the pattern, XC_UNSUPPORTED, or XC_LIMIT_EXCEEDED when it is huge.
  Regex(std::string_view pattern, Dialect dialect);

  // The leftmost match in [begin, end) that starts at or after `from`.
  bool find(const uint8_t* begin, const uint8_t* end, const uint8_t* from, Match& match, Budget& budget) const;
  // The match that starts at `at`.
  bool match_at(const uint8_t* begin, const uint8_t* end, const uint8_t* at, Match& match, Budget& budget) const;

  const std::string& pattern() const { return pattern_; }
  Dialect dialect() const { return dialect_; }

 private:
  std::string pattern_;
  Dialect dialect_;
  Program program_;
};

}  // namespace xcore::tokenizer::regex
