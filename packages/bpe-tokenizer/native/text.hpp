// JavaScript strings as UTF-8, and back.
#pragma once

#include <cstddef>
#include <string>

#include "xcore/addon.hpp"

struct Text {
  const char* data;
  size_t size;
};

// The string in a buffer that lives as long as the thread, up to the next call; lone surrogates become U+FFFD. Throws
// XC_INVALID_ARGUMENT naming `field` for anything else than a string.
//
// V8 writes UTF-8 a character at a time. It is asked for UTF-16, which it copies, and the conversion is done here.
Text text_of(napi_env env, napi_value value, const std::string& field);

// Room for `size` bytes that lives as long as the thread, up to the next call of anything here.
char* byte_room(size_t size);

// The string whose UTF-8 these bytes are, or nullptr where they are none: overlong forms, halves of surrogate pairs, what lies
// beyond U+10FFFF or ends in the middle. ASCII becomes a string of one byte a character, as V8 keeps it.
napi_value string_of(napi_env env, const char* utf8, size_t size);
