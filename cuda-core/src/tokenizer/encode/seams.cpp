#include "tokenizer/encode/seams.hpp"

#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {

Seams::Seams() : kinds_(65536, kSeam), characters_(size_t{1} << (kBits - 6), 0) {
  for (size_t pair = 0; pair < 65536; ++pair) {
    if ((pair & 0xc0) == 0x80) kinds_.writable()[pair] = kNoSeam;
  }
}

void Seams::add(std::string_view token) {
  const uint8_t* const begin = bytes_of(token);
  const uint8_t* const end = begin + token.size();
  for (const uint8_t* at = begin + 1; at < end; ++at) {
    uint8_t& kind = kinds_.writable()[pair(at)];
    if (kind == kNoSeam) continue;
    // Of a character too little may be in the token.
    if ((at[-1] | at[0]) < 0x80 || at - begin < left_bytes(at[-1]) || end - at < right_bytes(at[0])) {
      kind = kNoSeam;
      continue;
    }
    kind = kAsk;
    const size_t h = hash(at);
    characters_.writable()[h >> 6] |= uint64_t{1} << (h & 63);
  }
}

}  // namespace xcore::tokenizer
