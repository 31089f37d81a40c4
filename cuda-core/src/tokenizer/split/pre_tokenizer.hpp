// The pre-tokenizers of Hugging Face's tokenizer.json: each cuts the pieces that the one before it made.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/normalize/normalizer.hpp"
#include "tokenizer/pretokenize/pretokenize.hpp"

namespace xcore::tokenizer {

// What becomes of the delimiters that a Split finds.
enum class Behavior : uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct PreTokenizer {
  enum Kind : uint8_t { byte_level, split, metaspace, digits, punctuation, whitespace, whitespace_split, bert, delimiter } kind = byte_level;
  enum Prepend : uint8_t { never, first, always };
  Needle needle;                       // split, delimiter
  Pattern pattern = Pattern::none;     // split, byte_level: a scanner that does what the needle says
  Behavior behavior = Behavior::isolated;  // split, punctuation
  bool invert = false;                 // split: the matches are the pieces
  bool prefix_space = false;           // byte_level
  bool use_regex = false;              // byte_level
  bool individual = false;             // digits
  Prepend prepend = never;             // metaspace
  bool cuts = false;                   // metaspace
  std::string replacement;             // metaspace
};

// A text and the pieces it was cut into, ascending; what lies between them is gone.
struct Pieces {
  AlignedText text;
  std::vector<Range> pieces;
  bool bytes_mapped = false;  // byte_level was applied: characters stand for bytes
};

// `map`: byte_level really writes characters for bytes, for what comes after it. Without it the pieces stay bytes.
// `starts_text`: the text is the beginning of the original. Only asked when origins are not tracked.
void pre_tokenize(const PreTokenizer& p, Pieces& pieces, bool map, bool starts_text, regex::Budget& budget);

}  // namespace xcore::tokenizer
