// Errors inside the core are exceptions; at the C boundary `guard` turns every one of them into an xc_error.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "xcore/core.h"

namespace xcore {

class Error : public std::runtime_error {
 public:
  Error(xc_status status, const std::string& message, std::string field = {}, int64_t offset = -1)
      : std::runtime_error(message), status(status), field(std::move(field)), offset(offset) {}
  xc_status status;
  std::string field;  // argument, metadata key, tensor or JSON path
  int64_t offset;     // byte offset, or -1
};

// printf-style: throw error(XC_INVALID_FORMAT, "tensor.blk.0.attn_q", offset, "expected %d dimensions, found %d", ...)
[[nodiscard]] Error error(xc_status status, const std::string& field, int64_t offset, const char* format, ...)
    __attribute__((format(printf, 4, 5)));
[[nodiscard]] Error invalid_argument(const std::string& field, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

// Fills `out` from the exception being handled. Never throws.
xc_status capture_exception(xc_error* out) noexcept;

template <class F>
xc_status guard(xc_error* out, F&& body) noexcept {
  try {
    body();
    return XC_OK;
  } catch (...) {
    return capture_exception(out);
  }
}

// Runs body(); what it finds wrong inside a file gets the file's name in front.
template <class F>
auto naming_file(const std::string& path, F&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& e) {
    const bool inside = e.status == XC_INVALID_FORMAT || e.status == XC_UNSUPPORTED;
    if (!inside || std::string(e.what()).find(path) != std::string::npos) throw;
    throw Error(e.status, path + ": " + e.what(), e.field, e.offset);
  }
}

}  // namespace xcore
