#include "runtime/error.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>

namespace xcore {

static std::string format_message(const char* format, va_list arguments) {
  char text[sizeof(xc_error::message)];
  std::vsnprintf(text, sizeof text, format, arguments);
  return text;
}

Error error(xc_status status, const std::string& field, int64_t offset, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::string message = format_message(format, arguments);
  va_end(arguments);
  return Error(status, message, field, offset);
}

Error invalid_argument(const std::string& field, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::string message = format_message(format, arguments);
  va_end(arguments);
  return Error(XC_INVALID_ARGUMENT, message, field);
}

// Cuts at a character boundary: the text goes to JavaScript as UTF-8.
static void copy_text(char* out, size_t capacity, const char* text) {
  size_t n = strnlen(text, capacity - 1);
  if (text[n] != '\0') {
    while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
  }
  std::memcpy(out, text, n);
  out[n] = '\0';
}

xc_status capture_exception(xc_error* out) noexcept {
  std::memset(out, 0, sizeof *out);
  out->offset = -1;
  try {
    throw;
  } catch (const Error& e) {
    out->status = e.status;
    out->offset = e.offset;
    copy_text(out->field, sizeof out->field, e.field.c_str());
    copy_text(out->message, sizeof out->message, e.what());
  } catch (const std::bad_alloc&) {
    out->status = XC_OUT_OF_MEMORY;
    copy_text(out->message, sizeof out->message, "the host has no memory left for this call");
  } catch (const std::exception& e) {
    out->status = XC_INTERNAL;
    copy_text(out->message, sizeof out->message, e.what());
  } catch (...) {
    out->status = XC_INTERNAL;
    copy_text(out->message, sizeof out->message, "an unknown exception reached the boundary of the core");
  }
  return out->status;
}

}  // namespace xcore
