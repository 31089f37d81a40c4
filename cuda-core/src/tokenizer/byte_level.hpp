// GPT-2's way of writing bytes as visible characters: printable Latin-1 bytes stand for themselves, the other 68 are
// U+0100 onwards in order (Radford et al., "Language models are unsupervised multitask learners", 2019).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {

inline bool byte_is_printable(uint32_t b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255); }

// The byte a character stands for, or -1.
inline int byte_of_character(uint32_t c) {
  static const std::array<int, 324> table = [] {
    std::array<int, 324> t;
    t.fill(-1);
    int next = 256;
    for (int b = 0; b < 256; ++b) t[static_cast<size_t>(byte_is_printable(static_cast<uint32_t>(b)) ? b : next++)] = b;
    return t;
  }();
  return c < table.size() ? table[c] : -1;
}

// The character that stands for a byte.
inline uint32_t character_of_byte(uint8_t byte) {
  static const std::array<uint16_t, 256> table = [] {
    std::array<uint16_t, 256> t;
    uint16_t next = 256;
    for (uint16_t b = 0; b < 256; ++b) t[b] = byte_is_printable(b) ? b : next++;
    return t;
  }();
  return table[byte];
}

// The bytes that a token's characters stand for, of which there are no more than the token has; returns where they end, or
// nullptr when a character stands for none. `out` may be overwritten up to token.size() either way.
inline char* bytes_from_characters(std::string_view token, char* out) {
  const uint8_t* p = bytes_of(token);
  const uint8_t* const end = p + token.size();
  while (p < end) {
    if (*p < 0x80) {
      if (!byte_is_printable(*p)) return nullptr;
      *out++ = static_cast<char>(*p++);
      continue;
    }
    const CodePoint c = decode_utf8(p, end);
    const int byte = byte_of_character(c.value);
    if (byte < 0) return nullptr;
    *out++ = static_cast<char>(byte);
    p += c.length;
  }
  return out;
}
// The same into a string, whose content is without meaning when it returns false.
inline bool bytes_from_characters(std::string_view token, std::string& out) {
  out.resize(token.size());
  const char* const end = bytes_from_characters(token, out.data());
  if (end) out.resize(static_cast<size_t>(end - out.data()));
  return end != nullptr;
}

}  // namespace xcore::tokenizer
