// Small tokenizers of every kind, for tests and fuzzing: of bytes, of characters with fallback, of ranks, with expressions.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "tokenizer/byte_level.hpp"
#include "tokenizer/load/load.hpp"

namespace xcore::tokenizer::samples {

inline std::string byte_level_file(const std::string& components) {
  std::string vocab;
  for (uint32_t b = 0; b < 256; ++b) {
    std::string c;
    append_utf8(c, character_of_byte(static_cast<uint8_t>(b)));
    if (c == "\"" || c == "\\") c.insert(0, "\\");
    vocab += '"' + c + "\":" + std::to_string(b) + ',';
  }
  return "{\"model\":{\"ignore_merges\":true,\"vocab\":{" + vocab +
         "\"ab\":256,\"abab\":257,\"abababababababababab\":258},\"merges\":[\"a b\",\"ab ab\"]},\"added_tokens\":"
         "[{\"id\":259,\"content\":\"<s>\",\"special\":true,\"rstrip\":true},{\"id\":260,\"content\":\"  \",\"normalized\":true}]," +
         components + "}";
}
inline std::string characters_file() {
  std::string vocab = R"("<unk>":0,"<s>":1,"\u2581":2,"h":3,"e":4,"l":5,"o":6,"he":7,"ll":8,"hell":9,"hello":10,"\u2581hello":11)";
  for (int b = 0; b < 256; ++b) {
    char name[16];
    std::snprintf(name, sizeof name, ",\"<0x%02X>\":%d", b, 12 + b);
    vocab += name;
  }
  return R"({"model":{"type":"BPE","byte_fallback":true,"fuse_unk":true,"unk_token":"<unk>","vocab":{)" + vocab +
         R"(},"merges":["h e","l l","he ll","hell o","\u2581 hello"]},"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},)"
         R"({"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]},"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":)"
         R"({"String":"\u2581"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},)"
         R"("added_tokens":[{"id":1,"content":"<s>","special":true}],"truncation":{"direction":"Left","max_length":9,"strategy":"OnlyFirst","stride":2},)"
         R"("padding":{"strategy":{"Fixed":12},"direction":"Left","pad_id":3,"pad_type_id":0,"pad_to_multiple_of":null,"pad_token":"h"},)"
         R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],)"
         R"("pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}})";
}
inline std::unique_ptr<Tokenizer> ranks() {
  const char* const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string lines;
  for (int b = 0; b < 256; ++b) lines += std::string(1, alphabet[b >> 2]) + alphabet[(b & 3) << 4] + "== " + std::to_string(b) + "\n";
  lines += "YWI= 256\nYWJhYg== 257\n";
  return std::make_unique<Tokenizer>(read_ranks(lines, R"(\p{L}+|[^\p{L}]+)", {{"<s>", 300}}));
}

struct Sample {
  const char* name;
  std::unique_ptr<Tokenizer> (*make)();
};
inline const Sample kSamples[] = {
    {"byte_level", [] { return load_bytes(byte_level_file(R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"normalizer":{"type":"NFC"})")); }},
    {"expressions",
     [] {
       return load_bytes(byte_level_file(
           R"~("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","behavior":"MergedWithPrevious","pattern":{"Regex":"\\s+(?!\\S)|b(?=a)"}},)~"
           R"({"type":"Metaspace"},{"type":"ByteLevel"}]},"normalizer":{"type":"Replace","pattern":{"Regex":"[x-z]"},"content":"q"})"));
     }},
    {"characters", [] { return load_bytes(characters_file()); }},
    {"ranks", ranks},
};

}  // namespace xcore::tokenizer::samples
