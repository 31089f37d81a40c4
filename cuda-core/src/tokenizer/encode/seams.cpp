#include "tokenizer/encode/seams.hpp"

#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {

Seams::Seams() : bytes_(1024, 0), partial_(1024, 0), characters_(size_t{1} << (kBits - 6), 0) {}

void Seams::add(std::string_view token) {
  const uint8_t* const begin = bytes_of(token);
  const uint8_t* const end = begin + token.size();
  const auto set = [](Flat<uint64_t>& bits, size_t i) { bits.writable()[i >> 6] |= uint64_t{1} << (i & 63); };
  for (const uint8_t* at = begin + 1; at < end; ++at) {
    const size_t pair = static_cast<size_t>(at[-1]) << 8 | at[0];
    set(bytes_, pair);
    if ((at[-1] | at[0]) < 0x80 || (at[0] & 0xc0) == 0x80) continue;
    if (at - begin < left_bytes(at[-1]) || end - at < right_bytes(at[0])) {
      set(partial_, pair);
    } else {
      set(characters_, hash(at));
    }
  }
}

}  // namespace xcore::tokenizer
