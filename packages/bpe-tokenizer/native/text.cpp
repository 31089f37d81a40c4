#include "text.hpp"

#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

constexpr size_t kKeep = 1 << 20;  // a larger buffer is given back after the next short text

// Room for what V8 may write and for reading a whole block behind it.
thread_local std::vector<char16_t> units(1 << 11);
thread_local std::vector<char> bytes(1 << 13);

// The ASCII characters at the start of [p, end), in blocks; those of a last, mixed block are left.
const char16_t* copy_ascii(const char16_t* p, const char16_t* end, char*& out) {
#if defined(__x86_64__)
  const __m128i high = _mm_set1_epi16(static_cast<int16_t>(0xff80));
  for (; end - p >= 16; p += 16, out += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8));
    const __m128i other = _mm_and_si128(_mm_or_si128(a, b), high);
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(other, _mm_setzero_si128())) != 0xffff) break;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(a, b));
  }
#endif
  for (; end - p >= 4; p += 4, out += 4) {
    uint64_t w;
    std::memcpy(&w, p, sizeof w);
    if (w & 0xff80ff80ff80ff80ull) break;
    for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(p[i]);
  }
  return p;
}

// At most three bytes a unit.
char* to_utf8(const char16_t* p, const char16_t* end, char* out) {
  const auto put = [&](uint32_t byte) { *out++ = static_cast<char>(byte); };
  while (p < end) {
    if (*p < 0x80) {
      p = copy_ascii(p, end, out);
      if (p == end) break;
    }
    const uint32_t c = *p++;
    if (c < 0x80) {
      put(c);
    } else if (c < 0x800) {
      put(0xc0 | c >> 6);
      put(0x80 | (c & 63));
    } else if ((c & 0xf800) != 0xd800) {
      put(0xe0 | c >> 12);
      put(0x80 | (c >> 6 & 63));
      put(0x80 | (c & 63));
    } else if (c < 0xdc00 && p < end && (*p & 0xfc00) == 0xdc00) {
      const uint32_t whole = 0x10000 + ((c - 0xd800) << 10) + (*p++ - 0xdc00u);
      put(0xf0 | whole >> 18);
      put(0x80 | (whole >> 12 & 63));
      put(0x80 | (whole >> 6 & 63));
      put(0x80 | (whole & 63));
    } else {
      put(0xef);
      put(0xbf);
      put(0xbd);
    }
  }
  return out;
}

// The end of the ASCII characters at the start of [p, end), to a whole block.
const char* skip_ascii(const char* p, const char* end) {
  for (; end - p >= 32; p += 32) {
    uint64_t w[4];
    std::memcpy(w, p, sizeof w);
    if ((w[0] | w[1] | w[2] | w[3]) & 0x8080808080808080ull) break;
  }
  return p;
}

// The character at p as UTF-16; its bytes, or 0 where they are not UTF-8.
size_t one_character(const unsigned char* p, const unsigned char* end, char16_t*& out) {
  const auto follows = [&](int at) { return p + at < end && (p[at] & 0xc0) == 0x80; };
  if (*p < 0x80) {
    *out++ = *p;
    return 1;
  }
  if (*p < 0xe0) {
    if (*p < 0xc2 || !follows(1)) return 0;
    *out++ = static_cast<char16_t>((p[0] & 31) << 6 | (p[1] & 63));
    return 2;
  }
  if (*p < 0xf0) {
    if (!follows(1) || !follows(2)) return 0;
    const uint32_t c = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    if (c < 0x800 || (c & 0xf800) == 0xd800) return 0;
    *out++ = static_cast<char16_t>(c);
    return 3;
  }
  if (*p > 0xf4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  const uint32_t c = (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
  if (c < 0x10000 || c > 0x10ffff) return 0;
  *out++ = static_cast<char16_t>(0xd800 + ((c - 0x10000) >> 10));
  *out++ = static_cast<char16_t>(0xdc00 + (c & 0x3ff));
  return 4;
}

#if defined(__x86_64__)

constexpr char place(int i) { return static_cast<char>(i < 16 ? i : -1); }

// Lanes of 16 bits: the bytes `first`, `first` + `step`, ...
__attribute__((target("ssse3"))) inline __m128i lanes(__m128i v, int first, int step) {
  return _mm_shuffle_epi8(v, _mm_setr_epi8(place(first), -1, place(first + step), -1, place(first + 2 * step), -1, place(first + 3 * step), -1,
                                           place(first + 4 * step), -1, place(first + 5 * step), -1, place(first + 6 * step), -1,
                                           place(first + 7 * step), -1));
}

// Of 16 bytes at p, those at the start that are characters of as many bytes as the first: as UTF-16, of which 16 units are written
// and perhaps fewer count. How many bytes they are; 0 where one_character() must see.
__attribute__((target("ssse3"))) size_t equal_characters(const unsigned char* p, char16_t*& out) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), none = _mm_setzero_si128();
  const auto store = [&](int at, __m128i units) { _mm_storeu_si128(reinterpret_cast<__m128i*>(out + at), units); };
  const __m128i low6 = _mm_set1_epi16(0x3f);
  if (*p < 0x80) {
    const auto other = static_cast<unsigned>(_mm_movemask_epi8(v)) | 1u << 16;
    store(0, _mm_unpacklo_epi8(v, none));
    store(8, _mm_unpackhi_epi8(v, none));
    const auto count = static_cast<size_t>(__builtin_ctz(other));
    out += count;
    return count;
  }
  if (*p < 0xe0) {
    const __m128i shape = _mm_and_si128(v, _mm_set1_epi16(static_cast<int16_t>(0xc0e0)));
    const auto fits = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(shape, _mm_set1_epi16(static_cast<int16_t>(0x80c0)))));
    const __m128i first = _mm_and_si128(lanes(v, 0, 2), _mm_set1_epi16(0x1f));
    const __m128i units = _mm_or_si128(_mm_slli_epi16(first, 6), _mm_and_si128(lanes(v, 1, 2), low6));
    const auto overlong = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi16(_mm_and_si128(units, _mm_set1_epi16(0x780)), none)));
    const auto count = static_cast<size_t>(__builtin_ctz((~fits | overlong) | 1u << 16)) / 2;
    store(0, units);
    out += count;
    return 2 * count;
  }
  if (*p < 0xf0) {
    const __m128i mask = _mm_setr_epi8(-16, -64, -64, -16, -64, -64, -16, -64, -64, -16, -64, -64, -16, -64, -64, 0);
    const __m128i form = _mm_setr_epi8(-32, -128, -128, -32, -128, -128, -32, -128, -128, -32, -128, -128, -32, -128, -128, -1);
    const auto fits = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(v, mask), form)));
    const __m128i middle = _mm_slli_epi16(_mm_and_si128(lanes(v, 1, 3), low6), 6);
    const __m128i units = _mm_or_si128(_mm_slli_epi16(lanes(v, 0, 3), 12), _mm_or_si128(middle, _mm_and_si128(lanes(v, 2, 3), low6)));
    const __m128i top = _mm_and_si128(units, _mm_set1_epi16(static_cast<int16_t>(0xf800)));
    const __m128i wrong = _mm_or_si128(_mm_cmpeq_epi16(top, none), _mm_cmpeq_epi16(top, _mm_set1_epi16(static_cast<int16_t>(0xd800))));
    const auto bad = static_cast<unsigned>(_mm_movemask_epi8(wrong));
    const auto whole = static_cast<size_t>(__builtin_ctz(~fits | 1u << 15)) / 3, right = static_cast<size_t>(__builtin_ctz(bad | 1u << 10)) / 2;
    const size_t count = whole < right ? whole : right;
    store(0, units);
    out += count;
    return 3 * count;
  }
  return 0;
}

const bool kHasEqual = __builtin_cpu_supports("ssse3");

#else

size_t equal_characters(const unsigned char*, char16_t*&) { return 0; }
constexpr bool kHasEqual = false;

#endif

// At most one unit a byte. nullptr where the bytes are not UTF-8.
char16_t* to_utf16(const char* text, const char* text_end, char16_t* out) {
  const auto* p = reinterpret_cast<const unsigned char*>(text);
  const auto* const end = reinterpret_cast<const unsigned char*>(text_end);
  while (p < end) {
    size_t size = kHasEqual && end - p >= 16 ? equal_characters(p, out) : 0;
    if (size == 0) size = one_character(p, end, out);
    if (size == 0) return nullptr;
    p += size;
  }
  return out;
}

template <class T>
void room_for(std::vector<T>& buffer, size_t size) {
  if (buffer.size() < size) {
    buffer = std::vector<T>();  // nothing to copy
    buffer.resize(size);
  } else if (buffer.size() > kKeep && size < kKeep / 4) {
    buffer.resize(kKeep);
    buffer.shrink_to_fit();
  }
}

}  // namespace

Text text_of(napi_env env, napi_value value, const std::string& field) {
  size_t count = 0;
  if (napi_get_value_string_utf16(env, value, units.data(), units.size(), &count) != napi_ok)
    xaddon::fail(XC_INVALID_ARGUMENT, field, field + " must be a string");
  if (count + 1 >= units.size()) {  // perhaps not all of it
    napi_get_value_string_utf16(env, value, nullptr, 0, &count);
    room_for(units, count + 2);
    napi_get_value_string_utf16(env, value, units.data(), units.size(), &count);
  } else {
    room_for(units, count + 2);
  }
  room_for(bytes, 3 * count + 16);
  const char* const end = to_utf8(units.data(), units.data() + count, bytes.data());
  return {bytes.data(), static_cast<size_t>(end - bytes.data())};
}

char* byte_room(size_t size) {
  room_for(bytes, size);
  return bytes.data();
}

napi_value string_of(napi_env env, const char* utf8, size_t size) {
  napi_value out = nullptr;
  const char* const end = utf8 + size;
  const char* p = skip_ascii(utf8, end);
  while (p < end && static_cast<unsigned char>(*p) < 0x80) ++p;
  if (p == end) return napi_create_string_latin1(env, utf8, size, &out) == napi_ok ? out : nullptr;
  room_for(units, size + 1);
  const char16_t* const last = to_utf16(utf8, end, units.data());
  if (!last) return nullptr;
  const auto count = static_cast<size_t>(last - units.data());
  return napi_create_string_utf16(env, units.data(), count, &out) == napi_ok ? out : nullptr;
}
