// A bounds-checked cursor over untrusted bytes: nothing is read that is not there, and what is missing is named.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "runtime/error.hpp"

namespace xcore::gguf {

// Names from a file end up in messages: anything but printable ASCII becomes '?', and long names are cut.
inline std::string printable(std::string_view name) {
  std::string out(name.substr(0, 128));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

class Reader {
 public:
  Reader(const uint8_t* data, uint64_t size) : data_(data), size_(size) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return size_ - position_; }
  const uint8_t* here() const { return data_ + position_; }
  void skip(uint64_t bytes) { position_ += bytes; }  // the caller has looked at left()

  // Little-endian, as this machine is (the build refuses others).
  template <class T>
  T read(const std::string& field, const char* what) {
    if (left() < sizeof(T)) throw truncated(field, what, sizeof(T));
    T value;
    std::memcpy(&value, here(), sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // A 64-bit length and that many bytes, as a view into the data.
  std::string_view string(const std::string& field, const char* what) {
    const uint64_t at = position_;
    const uint64_t length = read<uint64_t>(field, what);
    if (length > left())
      throw error(XC_INVALID_FORMAT, field, static_cast<int64_t>(at), "%s claims %llu bytes, but only %llu are left in the file",
                  what, static_cast<unsigned long long>(length), static_cast<unsigned long long>(left()));
    const std::string_view out(reinterpret_cast<const char*>(here()), length);
    position_ += length;
    return out;
  }

 private:
  Error truncated(const std::string& field, const char* what, size_t bytes) const {
    return error(XC_INVALID_FORMAT, field, static_cast<int64_t>(position_),
                 "the file ends inside %s: %zu bytes are needed, %llu are left", what, bytes,
                 static_cast<unsigned long long>(left()));
  }
  const uint8_t* data_;
  uint64_t size_;
  uint64_t position_ = 0;
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF files are read in place: a little-endian machine is needed");

}  // namespace xcore::gguf
