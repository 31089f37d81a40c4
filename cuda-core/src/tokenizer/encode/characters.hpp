// The symbols that a SentencePiece model's merging starts from: characters, tokens or not.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/flat.hpp"

namespace xcore::tokenizer {

struct Model;

class CharacterTable {
 public:
  CharacterTable() = default;
  // Characters of the model's tokens. Where the model has scores, its pairs are made from them: every way in which a
  // token is two joined parts, ranked by the token's score. A part that is a single character need not be a token
  // itself; such characters are symbols from model.tokens.size() on. Clears model.scores.
  explicit CharacterTable(Model& model);

  // Of a character that no token contains: merges with nothing. The largest symbol.
  uint32_t unknown() const { return unknown_; }
  uint32_t symbol(uint32_t code_point) const {
    if (slots_.empty()) return unknown_;
    for (size_t i = hash(code_point) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].code_point == kFree) return unknown_;
      if (slots_[i].code_point == code_point) return slots_[i].symbol;
    }
  }
  // The symbols of all characters that have one.
  template <class F>
  void each(F&& use) const {
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].code_point != kFree) use(slots_[i].symbol);
    }
  }

  // See image/image.hpp.
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a) {
    a.block("characters", self.slots_);
    a.number(self.unknown_);
    if constexpr (Archive::kReads) {
      const size_t capacity = self.slots_.size();
      size_t free = 0, outside = 0;
      for (size_t i = 0; i < capacity; ++i) {
        free += self.slots_[i].code_point == kFree;
        outside += self.slots_[i].code_point != kFree && self.slots_[i].symbol > self.unknown_;
      }
      a.require((capacity & (capacity - 1)) == 0 && (capacity == 0 || free > 0), "the table of characters is full");
      a.require(outside == 0, "a character has no symbol");
    }
  }

 private:
  struct Slot {
    uint32_t code_point, symbol;
  };
  static constexpr uint32_t kFree = 0xffffffffu;  // what a stray byte decodes to as well
  static size_t hash(uint32_t c) { return c * 0x9e3779b1u >> 7; }
  Flat<Slot> slots_;
  uint32_t unknown_ = 0;
};

}  // namespace xcore::tokenizer
