// The saved image of a small tokenizer with some bytes changed and checksums that fit: it is refused, or used without harm.
// The first byte chooses the tokenizer, then come changes: three bytes of place, one of how many, and the new bytes. A first
// byte above 127 takes the rest as the image itself.
#include <cstdint>

#include "tokenizer/image/image.hpp"
#include "tokenizer/load/samples_testing.hpp"
#include "use_tokenizer.hpp"

namespace {

using namespace xcore::tokenizer;

const std::vector<std::string>& images() {
  static const std::vector<std::string>* const list = [] {
    auto* out = new std::vector<std::string>;
    for (const auto& sample : samples::kSamples) out->push_back(image_of(*sample.make(), {{"chat_template", "x"}}));
    return out;
  }();
  return *list;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::string image;
  if (data[0] > 127) {
    image.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  } else {
    image = images()[data[0] % images().size()];
    for (size_t at = 1; at + 4 < size;) {
      const size_t place = (data[at] << 16 | data[at + 1] << 8 | data[at + 2]) % image.size();
      size_t count = 1 + data[at + 3] % 16;
      for (at += 4; count > 0 && at < size; --count, ++at) image[(place + count) % image.size()] = static_cast<char>(data[at]);
    }
  }
  seal_image(image);
  try {
    use_tokenizer(*load_bytes(image), {reinterpret_cast<const char*>(data), size}, Tables::forged);
  } catch (const xcore::Error&) {
  }
  return 0;
}
