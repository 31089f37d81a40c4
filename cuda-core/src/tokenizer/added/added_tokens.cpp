#include "tokenizer/added/added_tokens.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tokenizer/unicode/properties.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

bool is_word(uint32_t c) { return word_characters()[c]; }
bool is_space(uint32_t c) { return (ClassTable::get()[c] & kSpace) != 0; }

}  // namespace

void AddedTokens::build(std::vector<AddedToken> tokens) {
  tokens_ = std::move(tokens);
  nodes_.clear();
  edges_.clear();
  if (tokens_.empty()) return;
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) { return a.content == b.content; }),
                tokens_.end());
  filter_ = {};
  // Tokens of one first byte share a bucket.
  uint32_t bucket = 0;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (i > 0 && tokens_[i].content[0] != tokens_[i - 1].content[0]) ++bucket;
    filter_.add(tokens_[i].content, bucket);
  }
  // Level by level over ranges of the sorted contents, so that a content's length bounds no recursion.
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges = {{0, tokens_.size(), 0}};
  nodes_.emplace_back();
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    if (begin < end && tokens_[begin].content.size() == depth) nodes_[node].token = static_cast<int32_t>(begin++);
    nodes_[node].first_edge = static_cast<uint32_t>(edges_.size());
    while (begin < end) {
      const char byte = tokens_[begin].content[depth];
      size_t stop = begin;
      while (stop < end && tokens_[stop].content[depth] == byte) ++stop;
      edges_.push_back({static_cast<uint8_t>(byte), static_cast<uint32_t>(nodes_.size())});
      ++nodes_[node].edges;
      nodes_.emplace_back();
      nodes_.back().depth = static_cast<uint32_t>(depth + 1);
      ranges.push_back({begin, stop, depth + 1});
      begin = stop;
    }
  }
  link_suffixes();
}

uint32_t AddedTokens::step(uint32_t node, uint8_t byte) const {
  const Edge* const first = edges_.data() + nodes_[node].first_edge;
  const Edge* const last = first + nodes_[node].edges;
  const Edge* const edge = std::lower_bound(first, last, byte, [](const Edge& e, uint8_t b) { return e.byte < b; });
  return edge == last || edge->byte != byte ? 0 : edge->node;
}

// Nodes are in the order of their depth, so what a node falls back to is complete before it.
void AddedTokens::link_suffixes() {
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    for (uint32_t e = 0; e < nodes_[node].edges; ++e) {
      const Edge edge = edges_[nodes_[node].first_edge + e];
      uint32_t fail = 0;
      if (node != 0) {
        for (uint32_t back = nodes_[node].fail;; back = nodes_[back].fail) {
          fail = step(back, edge.byte);
          if (fail != 0 || back == 0) break;
        }
      }
      nodes_[edge.node].fail = fail;
      if (nodes_[edge.node].token < 0) nodes_[edge.node].token = nodes_[fail].token;
    }
  }
}

// The leftmost token at or after `from`, the longest of those that start there.
AddedTokens::Found AddedTokens::search(std::string_view text, size_t from) const {
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  Found best{0, 0, -1};
  uint32_t node = 0;
  for (const uint8_t* p = next_candidate(filter_, begin + from, end); p < end;) {
    uint32_t next;
    while ((next = step(node, *p)) == 0 && node != 0) node = nodes_[node].fail;
    node = next;
    ++p;
    if (node == 0) {
      if (best.token >= 0) break;
      p = next_candidate(filter_, p, end);
      continue;
    }
    const auto at = static_cast<size_t>(p - begin);
    // What could still grow starts behind the token that was found.
    if (best.token >= 0 && at - nodes_[node].depth > best.begin) break;
    const int32_t token = nodes_[node].token;
    if (token < 0) continue;
    const size_t start = at - tokens_[static_cast<size_t>(token)].content.size();
    if (best.token < 0 || start <= best.begin) best = {start, at, token};
  }
  return best;
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from, bool special) const {
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  for (size_t next = from; !tokens_.empty() && next < text.size();) {
    const Found found = search(text, next);
    if (found.token < 0) break;
    const size_t at = found.begin;
    size_t stop = found.end;
    next = stop;  // a match that does not count still hides what lies inside it
    const AddedToken& token = tokens_[static_cast<size_t>(found.token)];
    const bool glued = token.single_word && ((at > 0 && is_word(decode_utf8_before(begin, begin + at).value)) ||
                                             (stop < text.size() && is_word(decode_utf8(begin + stop, end).value)));
    if (glued || (token.special && !special)) continue;
    size_t start = at;
    while (token.lstrip && start > from) {
      const CodePoint c = decode_utf8_before(begin, begin + start);
      if (!is_space(c.value) || start - c.length < from) break;
      start -= c.length;
    }
    while (token.rstrip && stop < text.size()) {
      const CodePoint c = decode_utf8(begin + stop, end);
      if (!is_space(c.value)) break;
      stop += c.length;
    }
    return {start, stop, &token};
  }
  return {text.size(), text.size(), nullptr};
}

}  // namespace xcore::tokenizer
