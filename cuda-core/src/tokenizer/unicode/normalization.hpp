// The four normalisation forms (Unicode Standard Annex 15) as a list of edits, so that text can be normalised and every
// character still be traced to where it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {

// One character of the new text, and how it relates to the characters of the old one: 0 replaces the next of them, 1 is
// inserted (and belongs to the one before), -n replaces the next and swallows n more.
struct Edit {
  uint32_t character;  // a code point, or kStrayByte | byte
  int32_t change;
};

// Stray bytes travel as values above the code points, so that they neither move nor compose.
inline constexpr uint32_t kStrayByte = 0x40000000;
inline uint32_t character_at(const uint8_t* p, CodePoint c) { return c.value == kInvalid ? kStrayByte | *p : c.value; }
inline void append_character(std::string& out, uint32_t c) {
  if (c & kStrayByte) {
    out += static_cast<char>(c & 255);
  } else {
    append_utf8(out, c);
  }
}

enum class NormalForm : uint8_t { nfc, nfd, nfkc, nfkd };

// Appends the edits that turn `text` into the form.
void normalization_edits(NormalForm form, std::string_view text, std::vector<Edit>& out);
// True when the text is in the form for certain, by its bytes alone.
bool surely_normal(NormalForm form, std::string_view text);

}  // namespace xcore::tokenizer
