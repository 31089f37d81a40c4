#include "tokenizer/added/added_tokens.hpp"

#include <gtest/gtest.h>

using namespace xcore::tokenizer;

namespace {

AddedToken token(uint32_t id, const char* content) {
  AddedToken t;
  t.id = id;
  t.content = content;
  t.special = true;
  return t;
}

// "<id>" for tokens, text as it is.
std::string cut(const AddedTokens& tokens, const std::string& text, bool special = true) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto match = tokens.find(text, at, special);
    out += '[' + text.substr(at, match.begin - at) + ']';
    if (match.token) out += std::to_string(match.token->id);
    at = match.end;
  }
  return out;
}

}  // namespace

TEST(AddedTokens, the_longest_of_those_that_start_first_is_found) {
  AddedTokens tokens;
  tokens.build({token(1, "ab"), token(2, "abcd"), token(3, "bcd"), token(4, "d")});
  EXPECT_EQ(cut(tokens, "xabcdabcd"), "[x]2[]2");
  EXPECT_EQ(cut(tokens, "abcx"), "[]1[cx]");
  EXPECT_EQ(cut(tokens, "zbcd"), "[z]3");
}

TEST(AddedTokens, special_ones_can_be_left_as_text) {
  AddedToken tool = token(2, "<t>");
  tool.special = false;
  AddedTokens tokens;
  tokens.build({token(1, "<s>"), tool});
  EXPECT_EQ(cut(tokens, "<s><t>", true), "[]1[]2");
  EXPECT_EQ(cut(tokens, "<s><t>", false), "[<s>]2");
}

TEST(AddedTokens, strip_flags_swallow_white_space) {
  AddedToken left = token(1, "<l>"), right = token(2, "<r>");
  left.lstrip = true;
  right.rstrip = true;
  AddedTokens tokens;
  tokens.build({left, right});
  EXPECT_EQ(cut(tokens, "a \xc2\xa0<l> b"), "[a]1[ b]");
  EXPECT_EQ(cut(tokens, "a <r> \n b"), "[a ]2[b]");
}

TEST(AddedTokens, single_words_stand_alone) {
  AddedToken word = token(1, "ham");
  word.single_word = true;
  AddedTokens tokens;
  tokens.build({word});
  EXPECT_EQ(cut(tokens, "ham shamed ham_ ham"), "[]1[ shamed ham_ ]1");
}
