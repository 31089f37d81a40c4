// The normalizers of Hugging Face's tokenizer.json, in a row.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/normalize/aligned_text.hpp"
#include "tokenizer/regex/regex.hpp"

namespace xcore::tokenizer {

// What Split and Replace look for: a fixed string, or an expression when `regex` is there.
struct Needle {
  std::string text;
  std::shared_ptr<const regex::Regex> regex;
  // Matches, leftmost first, not overlapping; those of an expression may be empty.
  std::vector<Range> find(std::string_view in, regex::Budget& budget) const;
};

struct Normalizer {
  enum Kind : uint8_t { form, lowercase, strip_accents, strip, replace, prepend, byte_level, nmt, bert } kind = form;
  NormalForm normal_form = NormalForm::nfc;  // form
  bool left = false, right = false;          // strip
  Needle needle;                             // replace
  std::string content;                       // replace, prepend
  bool clean = false, chinese = false, accents = false, lower = false;  // bert

  void apply(AlignedText& text, regex::Budget& budget) const;
};

}  // namespace xcore::tokenizer
