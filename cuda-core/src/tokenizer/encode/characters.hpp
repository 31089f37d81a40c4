// The symbols that a SentencePiece model's merging starts from: characters, tokens or not.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/flat.hpp"

namespace xcore::tokenizer {

struct Model;

inline constexpr uint32_t kUnknownSymbol = (1u << 20) - 1;  // a character that no token contains: merges with nothing

class CharacterTable {
 public:
  CharacterTable() = default;
  // Characters of the model's tokens. Where the model has scores, its pairs are made from them: every way in which a
  // token is two joined parts, ranked by the token's score. A part that is a single character need not be a token
  // itself; such characters are symbols from model.tokens.size() on. Clears model.scores.
  explicit CharacterTable(Model& model);

  uint32_t symbol(uint32_t code_point) const {
    if (slots_.empty()) return kUnknownSymbol;
    for (size_t i = hash(code_point) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].code_point == code_point) return slots_[i].symbol;
      if (slots_[i].code_point == kFree) return kUnknownSymbol;
    }
  }

 private:
  struct Slot {
    uint32_t code_point, symbol;
  };
  static constexpr uint32_t kFree = 0xffffffffu;  // what a stray byte decodes to as well
  static size_t hash(uint32_t c) { return c * 0x9e3779b1u >> 7; }
  Flat<Slot> slots_;
};

}  // namespace xcore::tokenizer
