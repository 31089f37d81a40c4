#include "tokenizer/pretokenize/pretokenize.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/philox.hpp"
#include "tokenizer/unicode/utf8.hpp"

using namespace xcore::tokenizer;

namespace {

std::vector<std::string> pieces(Pattern pattern, const std::string& text) {
  std::vector<std::string> out;
  const uint8_t* p = bytes_of(text);
  const uint8_t* const end = p + text.size();
  while (p < end) {
    const uint8_t* const stop = next_piece(pattern, p, end);
    EXPECT_GT(stop, p);
    EXPECT_LE(stop, end);
    out.emplace_back(p, stop);
    p = stop;
  }
  return out;
}
using Pieces = std::vector<std::string>;

class Scanners : public ::testing::TestWithParam<Pattern> {};

}  // namespace

TEST_P(Scanners, agree_with_the_backtracking_reference_on_random_text) {
  // Characters that some alternative treats apart, and stray bytes.
  const std::vector<std::string> alphabet = {
      "a", "B", "s", "S", "t", "re", "LL", "'", "'", "1", "23", " ", " ", "  ", "\n", "\r", "\t", "/", ".", "!", "_",
      "\xc2\xa0", "\xe3\x80\x80", "\xc5\xbf", "\xc3\xa9", "\xc3\x89", "\xc7\x85", "\xca\xb0", "\xe4\xb8\xad", "\xcc\x81",
      "\xe0\xa5\x80", "\xe2\x80\x8b", "\xe3\x81\x82", "\xea\xb0\x80", "+", "\xe2\x82\xac", "\x01", "\xc2\xbd", "\xd9\xa3", "\xf0\x9f\x98\x80", "\xff", "\xe2\x82"};
  xcore::Philox random(17, static_cast<uint64_t>(GetParam()));
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (uint32_t n = random.next_below(24) + 1; n > 0; --n) {
      text += alphabet[random.next_below(static_cast<uint32_t>(alphabet.size()))];
    }
    const uint8_t* p = bytes_of(text);
    const uint8_t* const end = p + text.size();
    while (p < end) {
      const uint8_t* const stop = next_piece(GetParam(), p, end);
      ASSERT_EQ(stop - p, next_piece_ref(GetParam(), p, end) - p) << "in: " << text << " at " << p - bytes_of(text);
      p = stop;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Patterns, Scanners,
                         ::testing::Values(Pattern::gpt2, Pattern::cl100k, Pattern::qwen2, Pattern::o200k, Pattern::tekken,
                                           Pattern::cl100k_end, Pattern::qwen35, Pattern::deepseek, Pattern::digit, Pattern::digits));

TEST(Pretokenize, gpt2_keeps_the_space_with_the_word) {
  EXPECT_EQ(pieces(Pattern::gpt2, "it's  12 ok!\n\n x"), (Pieces{"it", "'s", " ", " 12", " ok", "!", "\n\n", " x"}));
}
TEST(Pretokenize, cl100k_groups_digits_and_lines) {
  EXPECT_EQ(pieces(Pattern::cl100k, "It'S 12345!\n\n  \n x"), (Pieces{"It", "'S", " ", "123", "45", "!\n\n", "  \n", " x"}));
}
TEST(Pretokenize, qwen2_takes_digits_one_by_one) {
  EXPECT_EQ(pieces(Pattern::qwen2, "a 46+17"), (Pieces{"a", " ", "4", "6", "+", "1", "7"}));
}
TEST(Pretokenize, o200k_cuts_where_case_rises) {
  EXPECT_EQ(pieces(Pattern::o200k, "camelCase HTTPServer don't"), (Pieces{"camel", "Case", " HTTPServer", " don't"}));
}
TEST(Pretokenize, deepseek_cuts_numbers_and_han_first_and_keeps_what_matches_nothing) {
  EXPECT_EQ(pieces(Pattern::deepseek, "x  1234 .end\n\xe4\xb8\xad\xe3\x81\x82y\xe2\x80\x8b\x01\n"),
            (Pieces{"x", "  ", "123", "4", " .", "end", "\n", "\xe4\xb8\xad\xe3\x81\x82", "y", "\xe2\x80\x8b\x01", "\n"}));
}
TEST(Pretokenize, unknown_expressions_are_not_guessed) {
  EXPECT_EQ(recognise("\\p{N}{1,3}|.+"), Pattern::none);
  EXPECT_EQ(recognise(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"), Pattern::gpt2);
}
