// UTF-8 that may be broken: decoding never reads outside the text, and a byte that starts no valid sequence stands for
// itself, so that encoding and decoding stay lossless on any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xcore::tokenizer {

inline constexpr uint32_t kInvalid = 0xffffffffu;

struct CodePoint {
  uint32_t value;   // kInvalid for a stray byte
  uint32_t length;  // bytes, at least 1
};

// The code point at `at`, at < end. Overlong forms, surrogates and values beyond U+10FFFF are invalid.
inline CodePoint decode_utf8(const uint8_t* at, const uint8_t* end) {
  const uint32_t a = at[0];
  if (a < 0x80) return {a, 1};
  const auto left = end - at;
  const auto tail = [&](int i) { return (at[i] & 0xc0u) == 0x80u; };
  if (a >= 0xc2 && a < 0xe0) {
    if (left >= 2 && tail(1)) return {(a & 31) << 6 | (at[1] & 63u), 2};
  } else if (a >= 0xe0 && a < 0xf0) {
    if (left >= 3 && tail(1) && tail(2)) {
      const uint32_t c = (a & 15) << 12 | (at[1] & 63u) << 6 | (at[2] & 63u);
      if (c >= 0x800 && (c < 0xd800 || c > 0xdfff)) return {c, 3};
    }
  } else if (a >= 0xf0 && a < 0xf5) {
    if (left >= 4 && tail(1) && tail(2) && tail(3)) {
      const uint32_t c = (a & 7) << 18 | (at[1] & 63u) << 12 | (at[2] & 63u) << 6 | (at[3] & 63u);
      if (c >= 0x10000 && c <= 0x10ffff) return {c, 4};
    }
  }
  return {kInvalid, 1};
}

// The code point that ends at `at`, at > begin.
inline CodePoint decode_utf8_before(const uint8_t* begin, const uint8_t* at) {
  for (uint32_t n = 1; n <= 4 && at - begin >= n; ++n) {
    if ((at[-static_cast<int>(n)] & 0xc0u) == 0x80u) continue;
    const CodePoint c = decode_utf8(at - n, at);
    if (c.length == n) return c;
    break;
  }
  return {kInvalid, 1};
}

inline void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

inline const uint8_t* bytes_of(std::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }

}  // namespace xcore::tokenizer
