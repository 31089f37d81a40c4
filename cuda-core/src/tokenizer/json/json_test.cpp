#include "tokenizer/json/json.hpp"

#include <gtest/gtest.h>

#include "runtime/error.hpp"

using xcore::Error;
using namespace xcore::json;

namespace {

Error rejected(const std::string& text) {
  try {
    Document document(text);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 80);
  return Error(XC_OK, "");
}

}  // namespace

TEST(Json, reads_every_kind_of_value) {
  const Document document(R"( {"a": [null, true, false, -1.5e2, "x\u00e9\ud83d\ude00\n", []], "b": {}} )");
  const Cursor root(document.root(), "");
  const Cursor a = root.at("a");
  ASSERT_EQ(a.array_size(), 6u);
  EXPECT_TRUE(a[0].is_null());
  EXPECT_TRUE(a[1].boolean());
  EXPECT_FALSE(a[2].boolean());
  EXPECT_EQ(a[3].value().number, -150.0);
  EXPECT_EQ(a[4].string(), "x\xc3\xa9\xf0\x9f\x98\x80\n");
  EXPECT_EQ(a[5].array_size(), 0u);
  EXPECT_EQ(root.at("b").object_size(), 0u);
}

TEST(Json, refuses_what_the_grammar_does_not_allow) {
  for (const char* text :
       {"", " ", "{", "[1,]", "{\"a\":1,}", "[1 2]", "{a:1}", "01", "1.", "1e", "-", "+1", ".5", "nul", "truE", "\"a", "\"\\x\"",
        "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\t\"", "1 1", "{\"a\" 1}", "1e999", "[\"\xff\"]",
        "[\"\xc0\xaf\"]", "[\"\xed\xa0\x80\"]", "{\"a\":1,\"a\":2}", "NaN", "/**/1"}) {
    EXPECT_EQ(rejected(text).status, XC_INVALID_FORMAT) << text;
  }
}

TEST(Json, errors_name_offset_and_path) {
  const Error e = rejected(R"({"model": {"merges": ["a b", x]}})");
  EXPECT_EQ(e.offset, 29);
  EXPECT_EQ(e.field, "model.merges[1]");
}

TEST(Json, nesting_is_bounded) {
  const Document fine(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']'));
  EXPECT_EQ(fine.root().size, 1u);
  EXPECT_EQ(rejected(std::string(1000000, '[')).offset, kMaxDepth + 1);
}
