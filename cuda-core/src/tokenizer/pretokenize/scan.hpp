// Cutting a text into pieces 64 bytes at a time: the bytes' classes become bit masks, the expression becomes bit algebra
// on them, and the set bits become offsets (the method of Langdale and Lemire, "Parsing gigabytes of JSON per second",
// 2019, applied to these expressions).
//
// Blocks need no state between them. No expression looks behind, so a block that starts where a piece starts is decided
// by its own bytes: every step finds the pieces that end safely inside the next 64 bytes and continues at the last start
// it is sure of. What the algebra leaves open (a piece longer than a block, some rare mixtures of classes) goes through
// next_piece, piece by piece.
#pragma once

#include <cstddef>

#include "tokenizer/pretokenize/pretokenize.hpp"

namespace xcore::tokenizer {

// Writes the ends of the pieces from `at` on, as offsets from `base`, until at least `wanted` are there or the text ends;
// moves `at` behind the last of them. `ends` has room for wanted + kScanSlack; end - base is below 4 GiB.
using Scan = size_t (*)(const uint8_t* base, const uint8_t*& at, const uint8_t* end, uint32_t* ends, size_t wanted);

inline constexpr size_t kScanSlack = 128;

// The scanner for this processor, or nullptr for a pattern that has none.
Scan scanner(Pattern pattern);
// The same with a given instruction set; nullptr also where the processor lacks it. 0 portable, 1 AVX2, 2 AVX-512 VBMI2.
Scan scanner(Pattern pattern, int level);

Scan scanner_portable(Pattern pattern);
Scan scanner_avx2(Pattern pattern);
Scan scanner_avx512(Pattern pattern);

// The text may be cut before `at`, begin < at < end, with the same pieces on both sides, whatever stands further left or
// right: a line ends there, no other white space stands before the line end, and a letter follows. True of every pattern
// that has a scanner.
bool safe_cut(const uint8_t* begin, const uint8_t* at, const uint8_t* end);

}  // namespace xcore::tokenizer
