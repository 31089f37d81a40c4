// Vocabularies that say of each token what it is: those of GGUF files and of SentencePiece models, which share the types.
#pragma once

#include <string_view>

#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

enum PieceType { kNormalPiece = 1, kUnknownPiece = 2, kControlPiece = 3, kUserDefinedPiece = 4, kUnusedPiece = 5, kBytePiece = 6 };

// Room for `size` tokens. model.kind must be set.
void begin_pieces(Model& model, size_t size);
// Fills in one token: its bytes, whether it takes part in merging, and whether it is looked for in text beforehand. What is
// wrong is said of `field`.
void add_piece(Model& model, uint32_t id, std::string_view token, int type, const char* field);

}  // namespace xcore::tokenizer
