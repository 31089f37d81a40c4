// Reading tokenizers from files. What a file describes but this version cannot do exactly is XC_UNSUPPORTED with the
// JSON path or metadata key; what makes no sense is XC_INVALID_FORMAT.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.hpp"

namespace xcore::gguf {
class File;
}

namespace xcore::tokenizer {

// By content: "GGUF" or JSON.
std::unique_ptr<Tokenizer> load_file(const std::string& path);
std::unique_ptr<Tokenizer> load_bytes(std::string_view bytes);

Model read_json(std::string_view text);
Model read_gguf(const gguf::File& file);

// ---- shared by the readers ----

// Longer added tokens, and SentencePiece tokens, are refused: searching for them could take quadratic time.
inline constexpr size_t kMaxTokenBytes = 1024;

// Flags of the tokens that end a reply, by the names that published models give them.
void mark_end_of_generation(Model& model);
// Fills byte_token of a byte-level model from the tokens of one byte.
void find_byte_tokens(Model& model);
// "left right" into the pair table. `message` receives what is wrong when it returns false.
bool add_merge(Model& model, std::string_view left, std::string_view right, uint32_t rank, std::string& message);

}  // namespace xcore::tokenizer
