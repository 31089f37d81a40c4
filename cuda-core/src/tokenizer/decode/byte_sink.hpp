// Where decoded bytes go.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace xcore::tokenizer {

// Receives bytes; counts those beyond its capacity without writing them. What lies between `count` and `capacity` may be overwritten
// with anything.
struct ByteSink {
  char* out;
  size_t capacity;
  size_t count = 0;
  uint32_t strip = 0;  // blanks that are still to be left out of the start

  void push(std::string_view bytes) {
    while (strip > 0 && !bytes.empty()) {
      if (bytes[0] != ' ') {
        strip = 0;
      } else {
        --strip;
        bytes.remove_prefix(1);
      }
    }
    if (bytes.empty()) return;
    if (count < capacity) std::memcpy(out + count, bytes.data(), std::min(bytes.size(), capacity - count));
    count += bytes.size();
  }
  // Where `size` bytes may be written directly, and `count` raised afterwards; nullptr where they must be pushed.
  char* room(size_t size) const { return strip == 0 && count < capacity && capacity - count >= size ? out + count : nullptr; }
};

}  // namespace xcore::tokenizer
