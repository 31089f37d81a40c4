// A loaded tokenizer: read-only tables and the two operations on them. Made by load/; used from any number of threads
// at once.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added/added_tokens.hpp"
#include "tokenizer/decode/decode_table.hpp"
#include "tokenizer/decode/decoders.hpp"
#include "tokenizer/encode/scratch.hpp"
#include "tokenizer/merge/merge.hpp"
#include "tokenizer/pipeline.hpp"
#include "tokenizer/pretokenize/pretokenize.hpp"
#include "tokenizer/pretokenize/scan.hpp"
#include "tokenizer/regex/regex.hpp"
#include "tokenizer/sink.hpp"
#include "tokenizer/vocabulary.hpp"
#include "xcore/tokenizer.h"

namespace xcore::tokenizer {

enum class Kind : uint8_t {
  byte_level,     // bytes merged by rank inside pieces of text (GPT-2 and its descendants)
  sentencepiece,  // characters merged by score, no pieces, unknown characters as byte tokens (Llama 2)
};

// What Hugging Face's BPE puts around characters before it looks them up: "lo" and "w</w>" are other symbols than "lo" and "w".
struct Affixes {
  std::string prefix;          // before every character of a piece but the first (continuing_subword_prefix)
  std::string suffix;          // after the last (end_of_word_suffix)
  bool byte_fallback = false;  // a character that is no token is the "<0xNN>" of its bytes, and of those of its affixes
  bool any() const { return !prefix.empty() || !suffix.empty(); }
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
  // byte_level; sentencepiece: made from `scores`. Or `merges`: pairs by rank, perhaps some of them twice, that a Tokenizer takes
  // over; only if it cannot pack them it makes a table of them.
  PairTable pairs;
  Large<PairTable::Entry> merges;
  bool last_merge_counts = false;    // of a pair that is there twice
  bool merges_are_reached = false;   // each is what merging the content of its token ends with
  std::vector<float> scores;   // sentencepiece: higher merges first
  StringIndex by_content;      // all tokens by `tokens`; images leave it out: see Tokenizer::id_of
  std::vector<AddedToken> added;
  std::vector<PreTokenizerStep> steps;
  std::vector<uint32_t> prefix, suffix;  // ids put around the text by addSpecialTokens
  bool nfc = false;
  bool ignore_merges = false;  // a piece that is a token is that token, whether merges reach it or not
  bool fuse_unknown = false;
  bool space_prefix = false;   // sentencepiece: a space before the text and after each special token
  bool prefix_first_only = false;    // ... before the text alone
  bool prefix_unless_blank = false;  // ... unless there is one already
  DecoderShape decoder{DecoderShape::bytes, 0};
  uint32_t unknown = kNoId, bos = kNoId, eos = kNoId;
  Affixes affixes;
  uint32_t byte_token[256];    // kNoId where the vocabulary lacks the byte
  Pipeline pipeline;
  // What the file says beyond tokens, by name: "chat_template", ... (xc_tokenizer_table.property).
  std::vector<std::pair<std::string, std::string>> properties;
  std::shared_ptr<const void> backing;  // the image whose memory the tables are views of, if any
};

// An id and the bytes of the text that it stands for. Both are 0 for a token that stands for none.
struct Token {
  uint32_t id;
  Range range;
};

enum class OffsetUnit : uint8_t { utf16, code_point, byte };

class PieceEncoder;
class ImageReader;
class ImageWriter;

class Tokenizer {
 public:
  // Builds the derived tables. Throws when the model is inconsistent.
  explicit Tokenizer(Model model);
  // Takes the derived tables from the image that the model was read from. `packed`: the model has no table of pairs.
  Tokenizer(Model model, ImageReader& image, bool packed);
  ~Tokenizer();

  const Model& model() const { return model_; }
  // Writes the derived tables.
  void save(ImageWriter& image) const;
  // Merging has a packed form of the pairs and does not need model().pairs.
  bool packed() const;
  // The pairs that merge; model().pairs is empty where only the packed form was kept.
  PairTable pairs() const;
  // The id of a token as the file writes it; kNoId where there is none.
  uint32_t id_of(std::string_view content) const;
  bool has(uint32_t id) const { return id < model_.flags.size() && model_.flags[id] != 0; }

  // flags: XC_ENCODE_*.
  void encode(std::string_view text, uint32_t flags, Sink& sink) const;
  // The same for a caller that has a scratch of cache().
  void encode(std::string_view text, uint32_t flags, Scratch& scratch, Sink& sink) const;
  // The same ids one by one with where they come from, as Hugging Face's Encoding says it: never inside a character, white
  // space at the ends left out where the file says so. Slower than encode().
  void encode_tokens(std::string_view text, uint32_t flags, OffsetUnit unit, std::vector<Token>& out) const;
  // True when a text may be cut between a newline, with no white space before it, and an ASCII letter: its parts, all but the first encoded with
  // XC_ENCODE_CONTINUE, give the ids of the whole.
  bool cuts_between_lines() const { return cuts_between_lines_; }
  // The text of the ids. Throws for an id that is not a token, naming its index.
  void decode(const uint32_t* ids, size_t count, bool skip_special, ByteSink& out) const;
  // Appended.
  void decode(const uint32_t* ids, size_t count, bool skip_special, std::string& out) const;

  // The memos of pieces that encode() keeps; see ScratchPool.
  ScratchPool& cache() const { return scratches_; }

 private:
  void find_added_tokens();
  void find_scanner();
  bool find_line_cuts() const;
  void encode_plain(std::string_view text, bool special, Scratch&, Sink&) const;
  void split(size_t step, const uint8_t* begin, const uint8_t* end, Scratch&, Sink&) const;
  void encode_sentencepiece(std::string_view text, bool special, bool after_special, Scratch&, Sink&) const;
  bool wants_prefix(std::string_view segment, bool after_special, bool starts_text) const;
  void encode_segment(std::string_view text, size_t offset, bool special, bool after_special, bool track, Scratch&, std::vector<Token>&) const;
  void encode_pieces(Pieces&, bool starts_text, bool after_special, Scratch&, std::vector<Token>&) const;
  void encode_affixed(std::string_view piece, size_t begin, const AlignedText& text, Scratch&, std::vector<Token>&) const;
  void encode_unit(std::string_view piece, size_t begin, const AlignedText& text, Scratch&, std::vector<Token>&) const;
  void run_pipeline(std::string_view text, uint32_t flags, bool track, Scratch&, std::vector<Token>&) const;
  void encode_lines(std::string_view text, bool special, bool after_special, Scratch&, Sink&) const;

  Model model_;
  AddedTokens added_;             // looked for in the text as given
  AddedTokens added_normalized_;  // looked for in the normalised text
  std::unique_ptr<const PieceEncoder> pieces_;
  // Made when they are first asked for: they are large, and many programs only count.
  mutable std::once_flag decode_once_, index_once_;
  mutable DecodeTable decode_;
  mutable StringIndex index_;  // where model_.by_content is empty
  bool cuts_between_lines_ = false;
  Scan scan_ = nullptr;  // of the only step, when there is a scanner for it
  mutable ScratchPool scratches_;
};

}  // namespace xcore::tokenizer
