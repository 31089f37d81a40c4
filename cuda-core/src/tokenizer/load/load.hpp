// Reading tokenizers from files. What a file describes but this version cannot do exactly is XC_UNSUPPORTED with the
// JSON path or metadata key; what makes no sense is XC_INVALID_FORMAT.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace xcore::gguf {
class File;
}

namespace xcore::tokenizer {

// By content: an image (image/image.hpp), GGUF, a SentencePiece model, or JSON. A rank file lacks its pattern: see read_ranks.
std::unique_ptr<Tokenizer> load_file(const std::string& path);
std::unique_ptr<Tokenizer> load_bytes(std::string_view bytes);

struct SpecialToken {
  std::string content;
  uint32_t id;
};

Model read_json(std::string_view text);
Model read_gguf(const gguf::File& file);
Model read_sentencepiece(std::string_view bytes);
// tiktoken: ranks, the expression that cuts text, and the special tokens beside the ranks.
Model read_ranks(std::string_view text, std::string_view pattern, const std::vector<SpecialToken>& special);

bool looks_like_ranks(std::string_view text);
bool looks_like_sentencepiece(std::string_view bytes);

// ---- shared by the readers ----

// Longer added tokens, and SentencePiece tokens, are refused: searching for them could take quadratic time.
inline constexpr size_t kMaxTokenBytes = 1024;

// The step that cuts text by an expression: by a scanner where there is one for it, by the general engine otherwise.
void set_pattern(Model& model, std::string_view pattern);
// Flags of the tokens that end a reply, by the names that published models give them.
void mark_end_of_generation(Model& model);
// Fills byte_token of a byte-level model from the tokens of one byte.
void find_byte_tokens(Model& model);

}  // namespace xcore::tokenizer
