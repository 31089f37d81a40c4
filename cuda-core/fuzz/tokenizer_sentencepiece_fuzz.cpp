// Any bytes as a SentencePiece model; when it loads, it is used.
#include <cstdint>

#include "tokenizer/load/load.hpp"
#include "use_tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xcore::tokenizer;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const Tokenizer tokenizer(read_sentencepiece(bytes));
    use_tokenizer(tokenizer, bytes);
  } catch (const xcore::Error&) {
  }
  return 0;
}
