// The bytes as a tokenizer file (JSON, or GGUF when they begin so); when it loads, a text is encoded and decoded.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/error.hpp"
#include "tokenizer/load/load.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xcore::tokenizer;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = load_bytes(bytes);
    std::string text = "It's 123 a\xcc\x81 ab\n\n <s>\xff\xf0\x9f\x98\x80  ";
    text += bytes.substr(0, 200);
    std::vector<uint32_t> ids(text.size() * 4 + 64);
    Sink sink{ids.data(), ids.size()};
    tokenizer->encode(text, XC_ENCODE_ADD_SPECIAL | XC_ENCODE_PARSE_SPECIAL, sink);
    Sink counter{nullptr, 0};
    tokenizer->encode(text, XC_ENCODE_ADD_SPECIAL | XC_ENCODE_PARSE_SPECIAL, counter);
    if (counter.count != sink.count) std::abort();
    std::string decoded;
    tokenizer->decode(ids.data(), std::min(sink.count, ids.size()), false, decoded);
  } catch (const xcore::Error&) {
  }
  return 0;
}
