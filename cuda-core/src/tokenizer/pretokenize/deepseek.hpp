// DeepSeek V3's three expressions, one after another: numbers in groups of three; runs of Chinese and Japanese; and in what lies
// between them
//   [ASCII punctuation][A-Za-z]+ | [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+ | ?[\p{P}\p{S}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
// where what no alternative takes is a piece as well, up to the next match.
#pragma once

#include <cstdint>

namespace xcore::tokenizer {

// See next_piece.
const uint8_t* next_piece_deepseek(const uint8_t* at, const uint8_t* end);

// U+4E00 to U+9FA5 and the two kinds of kana.
constexpr bool is_deepseek_cjk(uint32_t c) { return (c >= 0x4e00 && c <= 0x9fa5) || (c >= 0x3040 && c <= 0x30ff); }

}  // namespace xcore::tokenizer
