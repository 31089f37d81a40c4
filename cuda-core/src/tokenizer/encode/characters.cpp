#include "tokenizer/encode/characters.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {
namespace {

template <class F>
void each_character(std::string_view token, F&& use) {
  const uint8_t* const begin = bytes_of(token);
  const uint8_t* const end = begin + token.size();
  for (const uint8_t* p = begin; p < end;) {
    const CodePoint c = decode_utf8(p, end);
    use(static_cast<size_t>(p - begin), c);
    p += c.length;
  }
}

// From the best score to the worst, without repeats: a score's place is its rank.
std::vector<float> ranking(const Model& model) {
  std::vector<float> scores;
  for (uint32_t id = 0; id < model.tokens.size(); ++id) {
    if (model.model_token[id]) scores.push_back(model.scores[id]);
  }
  std::sort(scores.begin(), scores.end(), std::greater<float>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  return scores;
}

}  // namespace

CharacterTable::CharacterTable(Model& model) {
  const auto size = static_cast<uint32_t>(model.tokens.size());
  StringIndex tokens;
  tokens.reserve(size);
  for (uint32_t id = 0; id < size; ++id) {
    if (model.model_token[id]) tokens.insert(model.tokens, id);
  }
  std::unordered_map<std::string_view, uint32_t> symbols;  // by a character's bytes
  uint32_t next = size;
  size_t whole = 0;
  for (uint32_t id = 0; id < size; ++id) {
    if (!model.model_token[id]) continue;
    const std::string_view token = model.tokens[id];
    each_character(token, [&](size_t at, CodePoint c) {
      const std::string_view bytes = token.substr(at, c.length);
      const auto [place, fresh] = symbols.emplace(bytes, 0);
      if (!fresh) return;
      const uint32_t own = tokens.find(model.tokens, bytes);
      place->second = own != kNoId ? own : next++;
      whole += c.value != kInvalid;
    });
  }
  unknown_ = next;
  size_t capacity = 16;
  while (capacity < whole * 2) capacity *= 2;
  slots_ = Flat<Slot>(capacity, Slot{kFree, 0});
  for (const auto& [bytes, symbol] : symbols) {
    const uint32_t c = decode_utf8(bytes_of(bytes), bytes_of(bytes) + bytes.size()).value;
    // Without scores only tokens merge: a character that is none is unknown.
    if (c == kInvalid || (symbol >= size && model.scores.empty())) continue;
    size_t i = hash(c) & (capacity - 1);
    while (slots_[i].code_point != kFree) i = (i + 1) & (capacity - 1);
    slots_.writable()[i] = {c, symbol};
  }
  if (model.scores.empty()) return;
  const std::vector<float> scores = ranking(model);
  const auto part = [&](std::string_view s) {
    const uint32_t own = tokens.find(model.tokens, s);
    if (own != kNoId) return own;
    const auto c = symbols.find(s);
    return c == symbols.end() ? kNoId : c->second;
  };
  for (uint32_t id = 0; id < size; ++id) {
    if (!model.model_token[id]) continue;
    const std::string_view token = model.tokens[id];
    const auto better = std::lower_bound(scores.begin(), scores.end(), model.scores[id], std::greater<float>());
    const auto rank = static_cast<uint32_t>(better - scores.begin());
    each_character(token, [&](size_t at, CodePoint) {
      if (at == 0) return;
      const uint32_t left = part(token.substr(0, at));
      if (left == kNoId) return;
      const uint32_t right = part(token.substr(at));
      if (right != kNoId) model.pairs.insert(left, right, rank, id);
    });
  }
  model.scores = {};
}

}  // namespace xcore::tokenizer
