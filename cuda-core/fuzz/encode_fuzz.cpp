// A text through tokenizers of every kind of pipeline: the ids of encode() are those with offsets and those of the definition,
// ranges lie in the text in order, and byte-level ids decode to the text again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/byte_level.hpp"
#include "tokenizer/encode/definition_testing.hpp"
#include "tokenizer/load/load.hpp"

namespace {

using namespace xcore::tokenizer;

struct Case {
  std::unique_ptr<Tokenizer> tokenizer;
  bool lossless;
  Definition definition;
};

std::string bytes_file(const std::string& components) {
  std::string vocab;
  for (uint32_t b = 0; b < 256; ++b) {
    std::string c;
    append_utf8(c, character_of_byte(static_cast<uint8_t>(b)));
    if (c == "\"" || c == "\\") c.insert(0, "\\");
    vocab += '"' + c + "\":" + std::to_string(b) + ',';
  }
  return "{\"model\":{\"vocab\":{" + vocab + "\"ab\":256,\"\xc4\xa0 a\":257,\"abab\":258},\"merges\":[\"a b\",\"ab ab\"]},"
         "\"added_tokens\":[{\"id\":259,\"content\":\"<s>\",\"special\":true,\"rstrip\":true},{\"id\":260,\"content\":\"  \",\"normalized\":true}]," + components + "}";
}

const std::vector<Case>& cases() {
  static const std::vector<Case>* list = [] {
    auto* out = new std::vector<Case>;
    const auto add = [&](const std::string& components, bool lossless) {
      auto tokenizer = load_bytes(bytes_file(components));
      Definition definition(*tokenizer);
      out->push_back({std::move(tokenizer), lossless, std::move(definition)});
    };
    const std::string level = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false})";
    const std::string split = R"({"type":"Split","behavior":"Isolated","pattern":{"Regex":)";
    add(R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false})", true);
    add(R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + split + R"("\\p{N}{1,3}"}},)" + split +
            R"~(" ?[\\p{P}\\p{S}]+[\r\n]*|[\\p{L}\\p{M}]+(?!x)|\\s+(?!\\S)"}},)~" + level + "]}", true);
    // DeepSeek V3: one scanner, or with offsets three expressions.
    add(R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + split + R"("\\p{N}{1,3}"}},)" + split +
            "\"[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+\"}}," + split +
            R"~("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"}},)~" +
            level + "]}", true);
    add(R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Punctuation"},{"type":"ByteLevel"},{"type":"Digits"}]})", false);
    add(R"("normalizer":{"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"StripAccents"},{"type":"Lowercase"},{"type":"Strip"}]},"pre_tokenizer":)" + level, false);
    add(R"("normalizer":{"type":"Replace","pattern":{"String":" "},"content":"x"},"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"first"})", false);
    return out;
  }();
  return *list;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Case& c : cases()) {
    std::vector<uint32_t> ids(size * 8 + 64);
    Sink sink{ids.data(), ids.size()};
    c.tokenizer->encode(text, XC_ENCODE_PARSE_SPECIAL, sink);
    std::vector<Token> tokens;
    c.tokenizer->encode_tokens(text, XC_ENCODE_PARSE_SPECIAL, OffsetUnit::byte, tokens);
    if (tokens.size() != sink.count) std::abort();
    ids.resize(sink.count);
    if (c.definition.covers() && size <= 1024 && c.definition.encode(text, XC_ENCODE_PARSE_SPECIAL) != ids) std::abort();
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].id != ids[i]) std::abort();
      if (tokens[i].range.begin > tokens[i].range.end || tokens[i].range.end > size) std::abort();
    }
    std::string decoded;
    c.tokenizer->decode(ids.data(), sink.count, false, decoded);
    if (c.lossless && text.find("<s>") == std::string_view::npos && decoded != text) std::abort();
  }
  return 0;
}
