#include "tokenizer/added/added_tokens.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

bool is_word(uint32_t c) { return c == '_' || (ClassTable::get()[c] & (kLetter | kNumber | kMark)) != 0; }
bool is_space(uint32_t c) { return (ClassTable::get()[c] & kSpace) != 0; }

}  // namespace

void AddedTokens::build(std::vector<AddedToken> tokens) {
  tokens_ = std::move(tokens);
  nodes_.clear();
  edges_.clear();
  if (tokens_.empty()) return;
  std::sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (const AddedToken& t : tokens_) starts_[static_cast<uint8_t>(t.content[0])] = true;
  const bool one = std::count(std::begin(starts_), std::end(starts_), true) == 1;
  only_start_ = one ? static_cast<uint8_t>(tokens_[0].content[0]) : -1;
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
      ranges.push_back({begin, stop, depth + 1});
      begin = stop;
    }
  }
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from, bool special) const {
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  for (size_t at = from; !tokens_.empty() && at < text.size(); ++at) {
    if (only_start_ >= 0) {
      const void* const next = std::memchr(begin + at, only_start_, text.size() - at);
      if (!next) break;
      at = static_cast<size_t>(static_cast<const uint8_t*>(next) - begin);
    }
    if (!starts_[begin[at]]) continue;
    int32_t found = -1;
    size_t stop = at;
    uint32_t node = 0;
    for (size_t i = at; i < text.size(); ++i) {
      const Edge* const first = edges_.data() + nodes_[node].first_edge;
      const Edge* const last = first + nodes_[node].edges;
      const Edge* const edge = std::lower_bound(first, last, begin[i], [](const Edge& e, uint8_t b) { return e.byte < b; });
      if (edge == last || edge->byte != begin[i]) break;
      node = edge->node;
      if (nodes_[node].token >= 0) {
        found = nodes_[node].token;
        stop = i + 1;
      }
    }
    if (found < 0) continue;
    const AddedToken& token = tokens_[static_cast<size_t>(found)];
    const bool glued = token.single_word && ((at > 0 && is_word(decode_utf8_before(begin, begin + at).value)) ||
                                             (stop < text.size() && is_word(decode_utf8(begin + stop, end).value)));
    if (glued || (token.special && !special)) {
      at = stop - 1;  // a match that does not count still hides what lies inside it
      continue;
    }
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
