// JavaScript strings as UTF-8.
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
