// From text to ids, between the special tokens: pieces are cut, looked up in a memo, and merged where they are new.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/encode/characters.hpp"
#include "tokenizer/encode/scratch.hpp"
#include "tokenizer/encode/seams.hpp"
#include "tokenizer/encode/token_table.hpp"
#include "tokenizer/merge/merge_tables.hpp"
#include "tokenizer/pretokenize/scan.hpp"
#include "tokenizer/sink.hpp"
#include "tokenizer/vocabulary.hpp"

namespace xcore::tokenizer {

struct Model;
class ImageReader;
class ImageWriter;

// Parts of a text, which end at `ends`, encoded by all threads, of which the calling one has `scratch`. encode: called with a part
// and its index, makes at most `most_ids` ids a byte.
void encode_parts(std::string_view text, const std::vector<size_t>& ends, size_t most_ids, Scratch& scratch, ScratchPool& pool, Sink& sink,
                  const std::function<void(std::string_view, size_t, Scratch&, Sink&)>& encode);
// Parts that begin with an ASCII letter after a line, as Tokenizer::cuts_between_lines() has it.
std::vector<size_t> line_parts(std::string_view text);

class PieceEncoder {
 public:
  // The model must stay where it is. Its pairs are made from its scores where it has some.
  explicit PieceEncoder(Model& model);
  // With the tables that were saved; see image/image.hpp.
  PieceEncoder(const Model& model, ImageReader& image);
  void save(ImageWriter& image) const;

  // The pairs of the model, also where it keeps only the packed form of them.
  PairTable pairs() const;
  // False when merging needs the model's own table of pairs.
  bool packed() const { return merges_.packed(); }

  // Byte-level models: the pieces that `scan` cuts. Text below 4 GiB, as everywhere here.
  void encode(std::string_view text, Scan scan, Scratch& scratch, Sink& sink) const;
  // One piece that was cut already.
  void encode_piece(std::string_view piece, Scratch& scratch, Sink& sink) const;
  // SentencePiece models: text in which blanks are written U+2581. It is cut where nothing merges across.
  void encode_characters(std::string_view text, Scratch& scratch, Sink& sink) const;
  // The same for segments, each ending at its `end` in the text and followed by a token of its own (kNoId: none). Nothing merges
  // across their ends.
  void encode_segments(std::string_view text, const std::vector<Segment>& segments, Scratch& scratch, Sink& sink) const;

  // Merges symbols in place and returns how many are left.
  size_t merge_all(uint32_t* symbols, size_t count, Scratch& scratch) const { return merge_symbols(symbols, count, scratch); }

  // The same ids as the calls above, made by all threads, of which the calling one has `scratch`. scan: nullptr for characters.
  static bool pays_in_parallel(size_t bytes);
  void encode_parallel(std::string_view text, Scan scan, Scratch& scratch, ScratchPool& pool, Sink& sink) const;

 private:
  class Batch;

  struct Blank {};
  PieceEncoder(const Model& model, Blank);
  template <class Self, class Archive>
  static void fields(Self& self, Archive& a);

  uint32_t whole_token(const PieceKey& key, uint64_t hash) const;
  uint32_t whole_long(const uint8_t* piece, size_t size, bool part) const;
  bool may_have_seams(const uint8_t* piece, size_t size) const;
  PieceKey part_key(const uint8_t* part, size_t size) const;
  bool prepare_merge(const uint8_t* piece, size_t size, MergeJob& job) const;
  size_t encode_short(const PieceKey& key, uint64_t hash, const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const;
  size_t encode_seamed(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const;
  size_t encode_long(const uint8_t* piece, size_t size, uint64_t hash, bool part, Scratch& scratch, uint32_t* out) const;
  size_t merge_bytes(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const;
  size_t merge_characters(const uint8_t* piece, size_t size, Scratch& scratch, uint32_t* out) const;
  size_t merge_symbols(uint32_t* symbols, size_t count, Scratch& scratch) const;

  const Model& model_;
  bool characters_only_;  // a SentencePiece model
  bool all_bytes_;        // every byte has a token
  bool cuts_;             // pieces may be cut at seams
  CharacterTable characters_;
  MergeTables merges_;
  Seams seams_;
  // With ignore_merges a whole piece that is a token is that token, but a part between seams is what merging makes of it:
  // parts then have keys of their own, marked by this bit of PieceKey::high (else 0).
  uint64_t part_mark_;
  std::vector<bool> reached_;  // with ignore_merges: tokens that merging makes of their content; empty when not known
  TokenTable tokens_;     // short pieces that are one token
  StringIndex long_pieces_;  // longer tokens that a whole piece may become without merging, by their bytes
};

}  // namespace xcore::tokenizer
