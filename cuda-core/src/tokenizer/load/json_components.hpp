// The components around the model in a Hugging Face tokenizer.json.
#pragma once

#include "tokenizer/json/json.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

// Fill in model.pipeline. Components that this version lacks are XC_UNSUPPORTED with their JSON path.
void read_normalizer(const json::Cursor& n, Pipeline& pipeline);
void read_pre_tokenizer(const json::Cursor& p, Pipeline& pipeline);
void read_decoder(const json::Cursor& d, Pipeline& pipeline);
// Needs the vocabulary: templates name ids. Fills in prefix and suffix as well.
void read_post_processor(const json::Cursor& p, Model& model);

// What the file itself says of truncation and padding, as properties of these names: JSON of the options that the
// encoding calls have ({"maxLength":512,"stride":0,"strategy":"longest_first","side":"right"}).
void read_lengths(const json::Cursor& root, Model& model);

// True when byte_level is among the pre-tokenizers or normalizers: the model merges bytes.
bool is_byte_level(const Pipeline& pipeline);
// Says which of the components encode() does in its own way (model.steps, nfc, space_prefix ...), and whether that is all
// of them (pipeline.simple).
void find_shortcuts(Model& model);

}  // namespace xcore::tokenizer
