// Text while it is normalised and cut, with the place in the original text that every byte of it stands for.
//
// The rules for characters that appear, vanish or change are those of Hugging Face's tokenizers, so that offsets come
// out equal: an inserted character belongs to what the one before it belongs to, a replaced match to its last character.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/unicode/normalization.hpp"

namespace xcore::tokenizer {

struct Range {
  uint32_t begin, end;  // bytes
  bool operator==(const Range& o) const { return begin == o.begin && end == o.end; }
};

class AlignedText {
 public:
  // `offset` is where the text starts in the original. Without `track` no origins are kept and none may be asked for.
  void assign(std::string_view text, uint32_t offset, bool track);
  std::string_view text() const { return text_; }
  bool tracked() const { return tracked_; }
  // What the bytes [begin, end), begin < end, stand for.
  Range origin(size_t begin, size_t end) const { return {origins_[begin].begin, origins_[end - 1].end}; }

  AlignedText slice(size_t begin, size_t end) const;

  // Replaces the whole text by what the edits say. The first `skipped` characters of the old text are gone.
  void transform(const std::vector<Edit>& edits, size_t skipped = 0);
  // Keeps only some characters.
  void filter(const std::function<bool(uint32_t)>& keep);
  // Puts text in front of the first character, for which the text must not be empty.
  void prepend(std::string_view content) { prepend_at({{0, static_cast<uint32_t>(text_.size())}}, content, {true}); }
  // The same for each of some pieces that cover the text; returns the pieces as they are then.
  std::vector<Range> prepend_at(const std::vector<Range>& pieces, std::string_view content, const std::vector<bool>& wanted);
  // Replaces each of the ranges, ascending and disjoint; `pieces`, when given, are moved along.
  void replace(const std::vector<Range>& matches, std::string_view content, std::vector<Range>* pieces = nullptr);
  // Writes every byte as the character that stands for it in byte-level vocabularies.
  void map_bytes(std::vector<Range>* pieces = nullptr);
  // The opposite, for a text that map_bytes made.
  void unmap_bytes(std::vector<Range>* pieces);

 private:
  std::string text_;
  std::vector<Range> origins_;
  bool tracked_ = false;
};

// The ranges of `needle` in `text`, leftmost first, not overlapping.
std::vector<Range> find_all(std::string_view text, std::string_view needle);

}  // namespace xcore::tokenizer
