// Finding added tokens ("<|im_start|>", tool tags, runs of blanks) in text before anything else is done with it:
// leftmost, and of those that start at the same place the longest, as in Hugging Face's tokenizers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xcore::tokenizer {

struct AddedToken {
  uint32_t id = 0;
  std::string content;
  bool special = false;
  bool lstrip = false;       // swallows white space before it
  bool rstrip = false;       // and after it
  bool single_word = false;  // only where no word character touches it
  bool normalized = false;   // looked for in the normalised text
};

class AddedTokens {
 public:
  // A trie over the contents. Contents must not be empty and must differ.
  void build(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }

  struct Match {
    size_t begin, end;          // what the token covers, with stripped white space
    const AddedToken* token;    // nullptr: none up to the end of the text
  };
  // The first match at or after `from`, with everything before `from` consumed already. `special` says whether special
  // tokens are looked for.
  Match find(std::string_view text, size_t from, bool special) const;

 private:
  struct Node {
    uint32_t first_edge = 0;
    uint32_t edges = 0;
    int32_t token = -1;
  };
  struct Edge {
    uint8_t byte;
    uint32_t node;
  };
  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  bool starts_[256] = {};
  int only_start_ = -1;  // the first byte of all tokens, if they share it
};

}  // namespace xcore::tokenizer
