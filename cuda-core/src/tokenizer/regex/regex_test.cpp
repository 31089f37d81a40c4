#include "tokenizer/regex/regex.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/error.hpp"
#include "runtime/philox.hpp"
#include "tokenizer/pretokenize/pretokenize.hpp"

using namespace xcore;
using namespace xcore::tokenizer;
using regex::Dialect;
using regex::Regex;

namespace {

using Pieces = std::vector<std::string>;

Pieces matches(const std::string& pattern, const std::string& text, Dialect dialect = Dialect::oniguruma) {
  const Regex r(pattern, dialect);
  regex::Budget budget(text.size());
  Pieces out;
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  regex::Match m;
  for (const uint8_t* at = begin; at <= end && r.find(begin, end, at, m, budget);) {
    out.emplace_back(m.begin, m.end);
    at = m.end > m.begin ? m.end : m.end + 1;
  }
  return out;
}

struct Known {
  Pattern pattern;
  const char* regex;
};
const Known kKnown[] = {
    {Pattern::gpt2, R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {Pattern::cl100k,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Pattern::qwen2,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Pattern::o200k,
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Pattern::tekken,
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

class KnownPatterns : public ::testing::TestWithParam<Known> {};

void expect_refused(const std::string& pattern, xc_status status) {
  try {
    const Regex r(pattern, Dialect::oniguruma);
    FAIL() << "accepted: " << pattern;
  } catch (const Error& e) {
    EXPECT_EQ(e.status, status) << pattern << ": " << e.what();
  }
}

}  // namespace

TEST_P(KnownPatterns, are_cut_as_their_scanners_cut_on_random_unicode) {
  const std::vector<std::string> alphabet = {
      "a", "B", "s", "S", "t", "re", "LL", "'", "'", "1", "23", " ", " ", "  ", "\n", "\r", "\t", "/", ".", "!", "_",
      "\xc2\xa0", "\xe3\x80\x80", "\xc5\xbf", "\xc3\xa9", "\xc3\x89", "\xc7\x85", "\xca\xb0", "\xe4\xb8\xad", "\xcc\x81",
      "\xe0\xa5\x80", "\xc2\xbd", "\xd9\xa3", "\xf0\x9f\x98\x80", "\xff", "\xe2\x82"};
  const Regex r(GetParam().regex, Dialect::oniguruma);
  Philox random(23, static_cast<uint64_t>(GetParam().pattern));
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (uint32_t n = random.next_below(24) + 1; n > 0; --n) {
      if (random.next_below(3) == 0) {
        uint32_t c = random.next_below(0x30000);
        if (c >= 0xd800 && c < 0xe000) c = 'x';
        if (c < 0x80) {
          text += static_cast<char>(c);
        } else if (c < 0x800) {
          text += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
        } else if (c < 0x10000) {
          text += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
        } else {
          text += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
                   static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
        }
      } else {
        text += alphabet[random.next_below(static_cast<uint32_t>(alphabet.size()))];
      }
    }
    const uint8_t* const begin = bytes_of(text);
    const uint8_t* const end = begin + text.size();
    regex::Budget budget(text.size());
    for (const uint8_t* p = begin; p < end;) {
      const uint8_t* const stop = next_piece_ref(GetParam().pattern, p, end);
      regex::Match m;
      ASSERT_TRUE(r.find(begin, end, p, m, budget));
      ASSERT_EQ(m.begin - p, 0) << "in: " << text;
      ASSERT_EQ(m.end - p, stop - p) << "in: " << text << " at " << p - begin;
      p = stop;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Regex, KnownPatterns, ::testing::ValuesIn(kKnown));

TEST(Regex, takes_the_leftmost_match_and_the_first_alternative_that_succeeds) {
  EXPECT_EQ(matches("a|ab", "xabab"), (Pieces{"a", "a"}));
  EXPECT_EQ(matches("ab|a", "xabaa"), (Pieces{"ab", "a", "a"}));
  EXPECT_EQ(matches("a*?b", "aab b"), (Pieces{"aab", "b"}));
  EXPECT_EQ(matches("(a|b)*c", "ababc"), (Pieces{"ababc"}));
}
TEST(Regex, classes_intersect_nest_and_invert) {
  EXPECT_EQ(matches("[\\p{L}&&[^\\p{Han}]]+", "ab\xe4\xb8\xad" "c"), (Pieces{"ab", "c"}));
  EXPECT_EQ(matches("[^\\d\\s]+", "a1 b\n"), (Pieces{"a", "b"}));
  EXPECT_EQ(matches("[a-c[x-z]]+", "abxyd"), (Pieces{"abxy"}));
  EXPECT_EQ(matches("[[:alpha:]]+", "ab1c"), (Pieces{"ab", "c"}));
  EXPECT_EQ(matches("\\p{Han}+", "a\xe4\xb8\xad\xe6\x96\x87" "b"), (Pieces{"\xe4\xb8\xad\xe6\x96\x87"}));
  EXPECT_EQ(matches("\\P{L}+", "a12b"), (Pieces{"12"}));
}
TEST(Regex, case_is_ignored_where_it_is_asked_for_and_folds_the_long_s) {
  EXPECT_EQ(matches("(?i:'s)x", "'\xc5\xbfx'Sx'SX"), (Pieces{"'\xc5\xbfx", "'Sx"}));
  EXPECT_EQ(matches("(?i)abc", "ABC aBc"), (Pieces{"ABC", "aBc"}));
}
TEST(Regex, looks_ahead_and_behind) {
  EXPECT_EQ(matches("\\s+(?!\\S)|\\s", "a   b"), (Pieces{"  ", " "}));
  EXPECT_EQ(matches("(?<=a)b", "ab bb"), (Pieces{"b"}));
  EXPECT_EQ(matches("(?<!a)b", "ab cb"), (Pieces{"b"}));
  EXPECT_EQ(matches("foo(?=bar)", "foobar foo"), (Pieces{"foo"}));
}
TEST(Regex, possessive_repetition_and_atomic_groups_give_nothing_back) {
  EXPECT_EQ(matches("a++a", "aaa"), Pieces{});
  EXPECT_EQ(matches("(?>a|ab)c", "abc"), Pieces{});
  EXPECT_EQ(matches("a{2,3}+a", "aaa", Dialect::fancy), Pieces{});
  EXPECT_EQ(matches("a{2,3}a", "aaa"), (Pieces{"aaa"}));
}
TEST(Regex, the_newer_cl100k_of_tiktoken_runs) {
  const char* const possessive =
      R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s+)";
  EXPECT_EQ(matches(possessive, "I'll go\n  ", Dialect::fancy), (Pieces{"I", "'ll", " go", "\n  "}));
}
TEST(Regex, what_is_broken_or_lacking_is_refused_with_its_kind) {
  for (const char* p : {"(a", "a)", "[a", "a{2,1}", "*a", "\\", "[b-a]", "\\p{Nonsense}", "(?<", "a**?+{"}) {
    try {
      const Regex r(p, Dialect::oniguruma);
    } catch (const Error& e) {
      EXPECT_TRUE(e.status == XC_INVALID_FORMAT || e.status == XC_UNSUPPORTED) << p << ": " << e.what();
    }
  }
  expect_refused("(a", XC_INVALID_FORMAT);
  expect_refused("[a", XC_INVALID_FORMAT);
  expect_refused("[b-a]", XC_INVALID_FORMAT);
  expect_refused("\\X", XC_UNSUPPORTED);
}
TEST(Regex, an_expression_that_would_never_end_stops_with_a_limit) {
  const Regex r("(a*)*b", Dialect::oniguruma);
  const std::string text(4000, 'a');
  regex::Budget budget(0);
  regex::Match m;
  EXPECT_THROW(
      {
        for (int i = 0; i < 1000; ++i) r.find(bytes_of(text), bytes_of(text) + text.size(), bytes_of(text), m, budget);
      },
      Error);
}
