// Character classes as the scanners of known regular expressions see them, and normalisation form C.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {

enum CharacterClass : uint8_t {
  kLetter = 1,      // \p{L}
  kNumber = 2,      // \p{N}
  kSpace = 4,       // \s, Unicode White_Space
  kMark = 8,        // \p{M}
  kUpper = 16,      // \p{Lu} and \p{Lt}
  kLower = 32,      // \p{Ll}
};

// Two-stage table, built once from the generated ranges.
class ClassTable {
 public:
  static const ClassTable& get();
  uint8_t operator[](uint32_t code_point) const {
    return code_point <= 0x10ffff ? blocks_[index_[code_point >> 8]][code_point & 255] : 0;
  }
  // The first 256 code points.
  const uint8_t* ascii() const { return blocks_[index_[0]]; }

 private:
  ClassTable();
  uint16_t index_[0x1100];
  uint8_t blocks_[512][256];
};

// The NFC of `text`. Returns false and leaves `out` alone when the text is NFC already. Stray bytes stay where they are.
bool normalize_nfc(std::string_view text, std::string& out);

// True for a code point that NFC neither changes, nor moves, nor joins to one before it: a text of such alone is NFC.
bool nfc_inert(uint32_t code_point);

}  // namespace xcore::tokenizer
