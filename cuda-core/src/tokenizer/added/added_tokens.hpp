// Finding added tokens ("<|im_start|>", tool tags, runs of blanks) in text before anything else is done with it:
// leftmost, and of those that start at the same place the longest, as in Hugging Face's tokenizers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added/prefilter.hpp"

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
  // An automaton over the contents (Aho and Corasick, "Efficient string matching", CACM 1975), so that searching is linear
  // however many tokens there are and however they overlap.
  // Contents must not be empty; of equal ones (after normalisation) the first is kept.
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
    uint32_t fail = 0;      // the longest proper suffix that is a node
    uint32_t depth = 0;     // its bytes
    int32_t token = -1;     // the longest token that ends here, itself or a suffix
  };
  struct Edge {
    uint8_t byte;
    uint32_t node;
  };
  struct Found {
    size_t begin, end;
    int32_t token;  // -1: none
  };
  uint32_t step(uint32_t node, uint8_t byte) const;  // 0: no such edge
  void link_suffixes();
  Found search(std::string_view text, size_t from) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  Prefilter filter_;
};

}  // namespace xcore::tokenizer
