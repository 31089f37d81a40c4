// What a tokenizer.json says around its model: the components of Hugging Face's tokenizers, as read by load/.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/normalize/normalizer.hpp"
#include "tokenizer/split/pre_tokenizer.hpp"

namespace xcore::tokenizer {

struct DecoderStep {
  enum Kind : uint8_t { byte_level, replace, byte_fallback, fuse, strip, metaspace, word_suffix, word_piece } kind = byte_level;
  Needle needle;                 // replace
  std::string content;           // replace; strip: one character; metaspace: the replacement; word_suffix: the suffix
  uint32_t start = 0, stop = 0;  // strip: at most so many at either end
  bool drop_first = false;       // metaspace: the replacement before the first token is dropped
  bool cleanup = false;          // word_piece
};

// One part of a template: special tokens, or a text.
struct TemplatePart {
  enum Kind : uint8_t { special, first, second } kind;
  std::vector<uint32_t> ids;  // special
  uint32_t type_id = 0;
};

struct Pipeline {
  std::vector<Normalizer> normalizers;
  std::vector<PreTokenizer> steps;
  std::vector<DecoderStep> decoder;
  std::vector<TemplatePart> single, pair;  // empty: the texts alone
  bool trim_offsets = false;       // offsets leave out the white space at the ends of a token
  bool trim_prefix_space = false;  // ... but for one space at the start of the text
  bool map_bytes = false;          // byte_level is followed by steps that see its characters

  // The file describes itself by components. Others do it by flags (Model::space_prefix ...).
  bool described = false;
  // Every component is one that encoding without offsets does in its own, faster way.
  bool simple = true;
};

}  // namespace xcore::tokenizer
