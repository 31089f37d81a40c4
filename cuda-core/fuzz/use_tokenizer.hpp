// What a fuzz target does with a tokenizer that it managed to load: everything that reads its tables.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/error.hpp"
#include "tokenizer/encode/definition_testing.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

enum class Tables { made, forged };  // by a loader, which promises that encoding follows its definition; or by anyone

// Encodes and decodes a text that meets most components, followed by `more`. The calls must agree with each other.
inline void use_tokenizer(const Tokenizer& tokenizer, std::string_view more, Tables tables = Tables::made) {
  std::string text = "It's 123 a\xcc\x81 ab\n\n <s>\xff\xf0\x9f\x98\x80  abababababababababababababababababababababab \xe4\xbd\xa0\xe5\xa5\xbd\xe2\x96\x81hello";
  text += more.substr(0, 200);
  const uint32_t flags = XC_ENCODE_ADD_SPECIAL | XC_ENCODE_PARSE_SPECIAL;
  std::vector<uint32_t> ids(text.size() * 8 + 64);
  Sink sink{ids.data(), ids.size()};
  std::vector<Token> tokens;
  try {
    tokenizer.encode(text, flags, sink);
    Sink counter{nullptr, 0};
    tokenizer.encode(text, flags, counter);
    if (counter.count != sink.count) std::abort();
    tokenizer.encode_tokens(text, flags, OffsetUnit::utf16, tokens);
    if (tables == Tables::made && sink.count <= ids.size()) {
      if (tokens.size() != sink.count) std::abort();
      for (size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].id != ids[i]) std::abort();
      }
      const Definition definition(tokenizer);
      if (definition.covers() && definition.encode(text, flags) != std::vector<uint32_t>(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(sink.count))) std::abort();
    }
  } catch (const Error&) {  // an expression took too many steps
    return;
  }
  std::string decoded;
  try {
    tokenizer.decode(ids.data(), std::min(sink.count, ids.size()), false, decoded);
  } catch (const Error&) {  // a text of expressions again, or a forged image that makes ids of no token
  }
}

}  // namespace xcore::tokenizer
