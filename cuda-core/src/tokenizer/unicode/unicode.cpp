#include "tokenizer/unicode/unicode.hpp"

#include <cstring>
#include <iterator>

#include "runtime/error.hpp"

namespace xcore::tokenizer {
namespace {

#include "tokenizer/unicode/classes.inc"

}  // namespace

ClassTable::ClassTable() {
  size_t run = 0;
  uint16_t used = 0;
  for (uint32_t block = 0; block < 0x1100; ++block) {
    uint8_t values[256];
    for (uint32_t i = 0; i < 256; ++i) {
      const uint32_t c = block << 8 | i;
      while (run + 1 < std::size(kClassRuns) && kClassRuns[run + 1] >> 8 <= c) ++run;
      values[i] = static_cast<uint8_t>(kClassRuns[run]);
    }
    uint16_t same = 0;
    while (same < used && std::memcmp(blocks_[same], values, 256) != 0) ++same;
    if (same == std::size(blocks_)) throw Error(XC_INTERNAL, "the table of character classes is too small for its data");
    if (same == used) std::memcpy(blocks_[used++], values, 256);
    index_[block] = same;
  }
}

const ClassTable& ClassTable::get() {
  static const ClassTable table;
  return table;
}

}  // namespace xcore::tokenizer
