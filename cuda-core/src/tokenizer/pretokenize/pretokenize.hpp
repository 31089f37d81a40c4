// Cutting text into pieces before merging, by the regular expressions that published tokenizers use. Each is recognised
// by its exact text and run by a scanner written for it; the pieces are those of a leftmost, first-alternative
// (Perl-like) match, as in Oniguruma and fancy-regex.
//
// Unicode classes are those of unicode.hpp; a stray byte is a character of no class. Every expression here matches any
// character, so pieces cover the text without gaps and splitting "isolated" or "removed, inverted" are the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace xcore::tokenizer {

enum class Pattern : uint8_t {
  none,           // the whole text is one piece
  gpt2,           // r50k, p50k, GPT-NeoX, ...
  cl100k,         // also Llama 3: digits in groups of at most three
  cl100k_end,     // newer cl100k: white space up to the end of the text is one piece
  qwen2,          // cl100k with single digits
  o200k,          // GPT-4o: letters cut where case rises, contractions stay with their word
  tekken,         // Mistral Nemo: o200k without contractions, single digits
  qwen35,         // qwen2 whose words hold marks as well as letters
  deepseek,       // DeepSeek V3, three expressions in one: see deepseek.hpp
  digit,          // each number character by itself, everything between as one piece
  digits,         // each run of number characters, everything between as one piece
};
inline constexpr size_t kPatterns = static_cast<size_t>(Pattern::digits) + 1;

// The pattern whose regular expression this is, or Pattern::none.
Pattern recognise(std::string_view regex);
// The same for three that are applied one after the other, each to the pieces of the one before.
Pattern recognise(std::string_view first, std::string_view second, std::string_view third);

// The end of the piece that starts at `at`, at < end. No expression looks behind.
const uint8_t* next_piece(Pattern pattern, const uint8_t* at, const uint8_t* end);

// The definition: the alternatives tried in order with backtracking, on code points.
const uint8_t* next_piece_ref(Pattern pattern, const uint8_t* at, const uint8_t* end);

}  // namespace xcore::tokenizer
