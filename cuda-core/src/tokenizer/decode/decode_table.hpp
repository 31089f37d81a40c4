// What tokens decode to, 16 bytes a token: copied whole, whatever the token's length, into place after place.
#pragma once

#include <cstdint>
#include <cstring>

#include "tokenizer/decode/byte_sink.hpp"
#include "tokenizer/flat.hpp"

namespace xcore::tokenizer {

struct Model;

class DecodeTable {
 public:
  DecodeTable() = default;
  explicit DecodeTable(const Model& model);

  // The bytes of ids[0..count). odd(i) is asked to push, or refuse, ids[i] where it is no token, a special one, one byte of a
  // character, or longer than 15 bytes; it returns the place to go on from.
  template <class F>
  void decode(const uint32_t* ids, size_t count, ByteSink& sink, F&& odd) const {
    constexpr size_t kBlock = 256;
    char block[kBlock * sizeof(Entry)];
    const Entry* const entries = entries_.data();
    const auto known = static_cast<uint32_t>(entries_.size());
    for (size_t i = 0; i < count;) {
      const size_t stop = count - i < kBlock ? count : i + kBlock;
      char* const place = sink.room((stop - i) * sizeof(Entry));
      char* const begin = place ? place : block;
      char* p = begin;
      for (; i < stop; ++i) {
        if (ids[i] >= known) break;
        const Entry& e = entries[ids[i]];
        if (e.size > kMostBytes) break;
        std::memcpy(p, &e, sizeof e);
        p += e.size;
      }
      if (place) {
        sink.count += static_cast<size_t>(p - begin);
      } else {
        sink.push({begin, static_cast<size_t>(p - begin)});
      }
      if (i < stop) i = odd(i);
    }
  }

 private:
  static constexpr uint8_t kMostBytes = 15;
  static constexpr uint8_t kOdd = 255;
  struct Entry {
    char bytes[kMostBytes];
    uint8_t size;
  };
  Flat<Entry> entries_;  // by id
};

}  // namespace xcore::tokenizer
