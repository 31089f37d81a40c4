// Where a text may be cut so that its parts encode to the same ids as the whole.
#include <algorithm>

#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool spans_cut(std::string_view s) {
  for (size_t i = 0; i + 1 < s.size(); ++i) {
    if (s[i] == '\n' && is_letter(s[i + 1])) return true;
  }
  return false;
}

// These never take a newline and a letter into one piece.
bool parts_lines(Pattern p) {
  return p == Pattern::gpt2 || p == Pattern::cl100k || p == Pattern::qwen2 || p == Pattern::o200k || p == Pattern::tekken ||
         p == Pattern::deepseek;
}

}  // namespace

bool Tokenizer::find_line_cuts() const {
  if (!model_.pipeline.simple) return false;
  for (const AddedToken& t : model_.added) {
    if (spans_cut(t.content) || (t.lstrip && is_letter(t.content[0])) || (t.single_word && t.content.back() == '\n')) return false;
  }
  if (model_.kind == Kind::byte_level) {
    return std::any_of(model_.steps.begin(), model_.steps.end(), [](const PreTokenizerStep& s) { return parts_lines(s.pattern); }) &&
           std::none_of(model_.steps.begin(), model_.steps.end(), [](const PreTokenizerStep& s) { return s.prefix_space; });
  }
  for (uint32_t id = 0; id < model_.tokens.size(); ++id) {
    if (model_.model_token[id] && spans_cut(model_.tokens[id])) return false;
  }
  return true;
}

}  // namespace xcore::tokenizer
