// What stands for one character of several: [...], \d \s \w \h, \p{...}; and escapes that stand for one, like \n or \x{61}.
#pragma once

#include "tokenizer/regex/cursor.hpp"

namespace xcore::tokenizer::regex {

struct Class {
  RangeSet ranges;
  bool stray = false;  // holds bytes that are no characters, too
};

// After "[", up to and with its "]": ranges, escapes, POSIX brackets, classes within, "&&" and "^".
Class char_class(Cursor& in, bool ignore_case);

// The class of \d \D \s \S \w \W \h \H \p{..} \P{..}, at the letter. False, and nothing read, when it is another escape.
bool class_escape(Cursor& in, Class& out);

// The character of an escape, after the backslash.
uint32_t character_escape(Cursor& in);

}  // namespace xcore::tokenizer::regex
