// Any bytes as the vocabulary of a GGUF file; when it loads, it is used.
#include <cstdint>

#include "gguf/gguf.hpp"
#include "tokenizer/load/load.hpp"
#include "use_tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xcore::tokenizer;
  try {
    const auto file = xcore::gguf::File::from_bytes(data, size);
    const Tokenizer tokenizer(read_gguf(*file));
    use_tokenizer(tokenizer, {reinterpret_cast<const char*>(data), size});
  } catch (const xcore::Error&) {
  }
  return 0;
}
