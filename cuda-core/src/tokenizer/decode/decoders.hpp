// The decoders of Hugging Face's tokenizer.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pipeline.hpp"

namespace xcore::tokenizer {

// Applies the steps to the tokens and appends the text. An empty list joins the tokens with blanks.
void run_decoders(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens, std::string& out);

// The byte that "<0x0A>" stands for, or -1.
int byte_of_fallback(std::string_view token);

// What the usual steps come to: each token's bytes by themselves (ByteLevel), or Replace, ByteFallback, Fuse and perhaps
// Strip of blanks at the start, in which runs of byte tokens that are no UTF-8 become one U+FFFD a byte.
struct DecoderShape {
  enum Kind : uint8_t { bytes, fallback, general } kind = general;
  uint32_t strip = 0;  // blanks to drop at the start, at most
};
DecoderShape shape_of(const std::vector<DecoderStep>& steps);

}  // namespace xcore::tokenizer
