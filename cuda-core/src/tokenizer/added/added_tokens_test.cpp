#include "tokenizer/added/added_tokens.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/philox.hpp"

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

TEST(AddedTokens, are_those_of_a_search_at_every_place) {
  xcore::Philox random(23);
  for (int round = 0; round < 300; ++round) {
    const uint32_t letters = 2 + random.next_below(2);
    const auto word = [&](uint32_t most) {
      std::string out;
      for (uint32_t n = 1 + random.next_below(most); n > 0; --n) out += static_cast<char>('a' + random.next_below(letters));
      return out;
    };
    std::vector<AddedToken> list;
    std::vector<std::string> contents;
    for (uint32_t i = 0; i < 1 + random.next_below(8); ++i) {
      const std::string content = word(6);
      if (std::find(contents.begin(), contents.end(), content) != contents.end()) continue;
      contents.push_back(content);
      list.push_back(token(static_cast<uint32_t>(contents.size()), content.c_str()));
    }
    AddedTokens tokens;
    tokens.build(list);
    std::string text = word(60);
    text.insert(random.next_below(static_cast<uint32_t>(text.size())), std::string(random.next_below(80), '-'));
    std::string expected, plain;
    for (size_t at = 0; at < text.size();) {
      size_t best = 0;
      for (size_t i = 0; i < contents.size(); ++i) {
        if (text.compare(at, contents[i].size(), contents[i]) == 0 && (best == 0 || contents[i].size() > contents[best - 1].size())) best = i + 1;
      }
      if (best == 0) {
        plain += text[at++];
        continue;
      }
      expected += '[' + plain + ']' + std::to_string(best);
      plain.clear();
      at += contents[best - 1].size();
    }
    if (!plain.empty()) expected += '[' + plain + ']';
    EXPECT_EQ(cut(tokens, text), expected) << text;
  }
}
