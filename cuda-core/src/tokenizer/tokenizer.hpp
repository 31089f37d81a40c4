// A loaded tokenizer: read-only tables and the two operations on them. Made by load/; used from any number of threads
// at once.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added/added_tokens.hpp"
#include "tokenizer/merge/merge.hpp"
#include "tokenizer/pretokenize/pretokenize.hpp"
#include "tokenizer/vocabulary.hpp"
#include "xcore/tokenizer.h"

namespace xcore::tokenizer {

enum class Kind : uint8_t {
  byte_level,     // bytes merged by rank inside pieces of text (GPT-2 and its descendants)
  sentencepiece,  // characters merged by score, no pieces, unknown characters as byte tokens (Llama 2)
};

struct PreTokenizerStep {
  Pattern pattern = Pattern::none;
  bool prefix_space = false;  // before cutting: put a space before a piece that does not begin with one
};

// What the loaders fill in. Token ids are below tokens.size(); flags[id] == 0 means that there is no such token.
struct Model {
  Kind kind = Kind::byte_level;
  StringTable tokens;          // as written in the file
  StringTable bytes;           // what a token decodes to
  std::vector<uint8_t> flags;  // XC_TOKEN_*
  std::vector<uint8_t> model_token;  // 1: may come out of merging (added tokens may not)
  PairTable pairs;             // byte_level; sentencepiece: made from `scores`
  std::vector<float> scores;   // sentencepiece: higher merges first
  StringIndex by_content;      // all tokens by `tokens`
  std::vector<AddedToken> added;
  std::vector<PreTokenizerStep> steps;
  std::vector<uint32_t> prefix, suffix;  // ids put around the text by addSpecialTokens
  bool nfc = false;
  bool ignore_merges = false;  // a piece that is a token is that token, whether merges reach it or not
  bool fuse_unknown = false;
  bool space_prefix = false;   // sentencepiece: a space before the text and after each special token
  uint32_t unknown = kNoId, bos = kNoId, eos = kNoId;
  uint32_t byte_token[256];    // kNoId where the vocabulary lacks the byte
};

// Receives ids; counts those beyond its capacity without writing them.
struct Sink {
  uint32_t* out;
  size_t capacity;
  size_t count = 0;
  void push(uint32_t id) {
    if (count < capacity) out[count] = id;
    ++count;
  }
};

struct Scratch;

class Tokenizer {
 public:
  // Builds the derived tables. Throws when the model is inconsistent.
  explicit Tokenizer(Model model);
  ~Tokenizer();

  const Model& model() const { return model_; }
  bool has(uint32_t id) const { return id < model_.flags.size() && model_.flags[id] != 0; }

  // flags: XC_ENCODE_*.
  void encode(std::string_view text, uint32_t flags, Sink& sink) const;
  // Appends the bytes of the ids. Throws for an id that is not a token, naming its index.
  void decode(const uint32_t* ids, size_t count, bool skip_special, std::string& out) const;

 private:
  class Lease;
  void build_pieces();
  void build_characters();
  void encode_plain(std::string_view text, bool special, Scratch&, Sink&) const;
  void split(size_t step, const uint8_t* begin, const uint8_t* end, Scratch&, Sink&) const;
  void encode_piece(const uint8_t* begin, const uint8_t* end, Scratch&, Sink&) const;
  size_t merge_bytes(std::string_view piece, Scratch&) const;
  void encode_sentencepiece(std::string_view text, bool special, Scratch&, Sink&) const;
  void merge_characters(std::string_view text, bool prefix, Scratch&, Sink&) const;

  Model model_;
  AddedTokens added_;             // looked for in the text as given
  AddedTokens added_normalized_;  // looked for in the normalised text
  StringIndex pieces_;            // byte-level: tokens that a whole piece may become, by bytes
  StringTable characters_;        // sentencepiece: single characters, tokens or not
  StringIndex character_index_;
  std::vector<uint32_t> character_id_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

}  // namespace xcore::tokenizer
