// What the Unicode Character Database says of a character, as far as tokenizer files ask: \p{...} of regular
// expressions, simple case folding, lower case and compatibility decompositions. Tables by generate_properties.mjs.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "tokenizer/unicode/char_set.hpp"

namespace xcore::tokenizer {

// The characters of a property: a general category ("L", "Lu", "Letter"), a script ("Han", "Script=Greek", "sc=Cyrillic"),
// a binary property ("Alphabetic"), "Any", "ASCII", or a POSIX class ("alpha", "digit", "punct", ...). Case, blanks, '-' and
// '_' in the name do not matter. False when the name is unknown.
bool property(std::string_view name, RangeSet& out);

// \w: letters, marks, decimal digits, connector punctuation and the other alphabetic characters.
const CharSet& word_characters();
const CharSet& space_characters();    // White_Space
const CharSet& number_characters();   // Nd, Nl, No
const CharSet& mark_characters();     // Mn, Mc, Me
// ASCII punctuation and symbols, and every character of general category P.
const CharSet& punctuation_characters();

// Calls use(c, d) for pairs that are equal when case is ignored, in both orders.
void for_each_case_pair(const std::function<void(uint32_t, uint32_t)>& use);
// The characters that equal c when case is ignored follow one another in a ring; c itself when there is none.
uint32_t next_of_equal_case(uint32_t c);

// Lower case of one character; `second` is 0 unless it has two (U+0130).
std::pair<uint32_t, uint32_t> lower_case(uint32_t c);

// Compatibility decomposition, complete, when it differs from the canonical one; count 0 otherwise.
struct CodePoints {
  const uint32_t* data;
  uint32_t count;
};
CodePoints compatibility_decomposition(uint32_t c);

}  // namespace xcore::tokenizer
