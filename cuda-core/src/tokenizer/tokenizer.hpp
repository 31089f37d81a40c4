// A loaded tokenizer: read-only tables and the two operations on them. Made by load/; used from any number of threads
// at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added/added_tokens.hpp"
#include "tokenizer/decode/decode_table.hpp"
#include "tokenizer/encode/scratch.hpp"
#include "tokenizer/merge/merge.hpp"
#include "tokenizer/pretokenize/pretokenize.hpp"
#include "tokenizer/pretokenize/scan.hpp"
#include "tokenizer/sink.hpp"
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

class PieceEncoder;

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

  // The memos of pieces that encode() keeps; see ScratchPool.
  ScratchPool& cache() const { return scratches_; }

 private:
  void encode_plain(std::string_view text, bool special, Scratch&, Sink&) const;
  void split(size_t step, const uint8_t* begin, const uint8_t* end, Scratch&, Sink&) const;
  void encode_sentencepiece(std::string_view text, bool special, Scratch&, Sink&) const;
  void encode_blanks(std::string_view text, bool prefix, Scratch&, Sink&) const;

  Model model_;
  AddedTokens added_;             // looked for in the text as given
  AddedTokens added_normalized_;  // looked for in the normalised text
  std::unique_ptr<const PieceEncoder> pieces_;
  DecodeTable decode_;
  Scan scan_ = nullptr;  // of the only step, when there is a scanner for it
  mutable ScratchPool scratches_;
};

}  // namespace xcore::tokenizer
