// Any bytes as a tokenizer file, told apart by content (tokenizer.json mostly); when it loads, it is used.
#include <cstdint>

#include "tokenizer/load/load.hpp"
#include "use_tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xcore::tokenizer;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    use_tokenizer(*load_bytes(bytes), bytes);
  } catch (const xcore::Error&) {
  }
  return 0;
}
