// Rank files, as tiktoken has them: a line a token, its bytes in base64 and its rank, which is its id and the order of its
// merge. And the packed form in which npm packages carry them: lines "! first-rank token token ...".
//
// Two neighbours merge when their bytes together are a token; the lowest rank goes first. When it is a token's turn, what
// could merge below its rank inside its bytes has merged, so of all the ways to cut a token in two only one is ever met:
// what merging its own bytes with lower ranks ends with. That one is the token's entry in the pair table; a token whose
// bytes do not end as two parts is only ever a whole piece.
#include <algorithm>
#include <array>

#include "runtime/error.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/merge/merge_tables.hpp"

namespace xcore::tokenizer {
namespace {

constexpr uint32_t kMaxId = (1u << 28) - 1;

struct Line {
  uint32_t rank;
  uint32_t begin, size;  // of the token's bytes in the arena
};

struct Ranks {
  std::string arena;
  std::vector<Line> lines;
  std::string_view bytes(const Line& l) const { return {arena.data() + l.begin, l.size}; }
};

[[noreturn]] void fail(size_t offset, const char* what) {
  throw error(XC_INVALID_FORMAT, "ranks", static_cast<int64_t>(offset), "%s at byte %zu of the ranks", what, offset);
}

const std::array<int8_t, 256>& base64_values() {
  static const std::array<int8_t, 256> table = [] {
    std::array<int8_t, 256> t;
    t.fill(-1);
    const char* const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 64; ++i) t[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
    return t;
  }();
  return table;
}

// Decodes one word of base64 that starts at `at`; returns where it ends.
size_t base64(std::string_view text, size_t at, std::string& out) {
  const auto& value = base64_values();
  const size_t start = at;
  uint32_t bits = 0;
  int held = 0;
  for (; at < text.size(); ++at) {
    const int8_t v = value[static_cast<uint8_t>(text[at])];
    if (v < 0) break;
    bits = bits << 6 | static_cast<uint32_t>(v);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  const size_t digits = at - start;
  size_t padding = 0;
  while (at < text.size() && text[at] == '=') {
    ++at;
    ++padding;
  }
  if (digits == 0 || digits % 4 == 1 || padding > 2 || (padding && (digits + padding) % 4)) fail(start, "a token that is no base64");
  return at;
}

size_t number(std::string_view text, size_t at, uint32_t& out) {
  const size_t start = at;
  uint64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value = value * 10 + static_cast<uint64_t>(text[at] - '0');
    if (value > kMaxId) fail(start, "a rank beyond 2^28");
  }
  if (at == start) fail(start, "no rank where one is expected");
  out = static_cast<uint32_t>(value);
  return at;
}

Ranks parse(std::string_view text) {
  Ranks ranks;
  ranks.arena.reserve(text.size());
  ranks.lines.reserve(text.size() / 12);
  const auto take = [&](size_t& at) {
    const size_t begin = ranks.arena.size();
    at = base64(text, at, ranks.arena);
    const size_t size = ranks.arena.size() - begin;
    if (size == 0) fail(at, "an empty token");
    if (size > kMaxTokenBytes) fail(at, "a token of more than 1024 bytes");
    return Line{0, static_cast<uint32_t>(begin), static_cast<uint32_t>(size)};
  };
  const auto skip = [&](size_t& at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r')) ++at;
  };
  for (size_t at = 0; at < text.size();) {
    skip(at);
    if (at < text.size() && text[at] == '\n') {
      ++at;
    } else if (at < text.size() && text[at] == '!') {
      ++at;
      skip(at);
      uint32_t rank = 0;
      at = number(text, at, rank);
      for (skip(at); at < text.size() && text[at] != '\n' && text[at] != '!'; skip(at)) {
        Line line = take(at);
        if (rank > kMaxId) fail(at, "a rank beyond 2^28");
        line.rank = rank++;
        ranks.lines.push_back(line);
      }
    } else if (at < text.size()) {
      Line line = take(at);
      skip(at);
      at = number(text, at, line.rank);
      skip(at);
      if (at < text.size() && text[at] != '\n') fail(at, "more than a token and its rank");
      ranks.lines.push_back(line);
    }
  }
  if (ranks.lines.empty()) fail(0, "no token");
  const auto by_rank = [](const Line& a, const Line& b) { return a.rank < b.rank; };
  if (!std::is_sorted(ranks.lines.begin(), ranks.lines.end(), by_rank)) std::sort(ranks.lines.begin(), ranks.lines.end(), by_rank);
  for (size_t i = 1; i < ranks.lines.size(); ++i) {
    if (ranks.lines[i].rank == ranks.lines[i - 1].rank)
      throw error(XC_INVALID_FORMAT, "ranks", -1, "two tokens have the rank %u", ranks.lines[i].rank);
  }
  return ranks;
}

// As byte-level vocabularies write them, so that every token has a name.
void visible(std::string_view bytes, std::string& out) {
  out.clear();
  for (const char b : bytes) {
    const uint32_t c = character_of_byte(static_cast<uint8_t>(b));
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 63));
    }
  }
}

// Tokens are merged together, some at a time, with the pairs of those before. If two parts are left of one, they are its
// pair: tokens of the same group rank higher than whatever merged. If more are left, a token of the group may join them.
void find_pairs(const Ranks& ranks, Model& model) {
  constexpr size_t kTogether = 32;
  const std::vector<Line>& lines = ranks.lines;
  model.pairs.reserve(lines.size());
  MergeTables tables;
  const bool packed = lines.back().rank < MergeTables::kMaxSymbols;
  if (packed) tables.reserve(lines.size(), lines.back().rank + 1);
  MergeScratch scratch;
  std::vector<uint32_t> symbols;
  std::vector<MergeJob> jobs(kTogether);
  const auto symbol = [&](const Line& line, size_t i) { return model.byte_token[static_cast<uint8_t>(ranks.arena[line.begin + i])]; };
  const auto together = [&](const Line& line) { return packed && line.size >= 2 && line.size <= MergeJob::kMost; };
  for (size_t begin = 0; begin < lines.size(); begin += kTogether) {
    const size_t end = std::min(begin + kTogether, lines.size());
    size_t count = 0;
    for (size_t l = begin; l < end; ++l) {
      if (!together(lines[l])) continue;
      MergeJob& job = jobs[count++];
      job.count = lines[l].size;
      for (uint32_t i = 0; i < job.count; ++i) job.symbols[i] = symbol(lines[l], i);
      for (uint32_t i = 0; i + 1 < job.count; ++i) tables.prefetch_rank(job.symbols[i], job.symbols[i + 1]);
    }
    for (size_t k = 0; k < count; ++k) {
      MergeJob& job = jobs[k];
      for (uint32_t i = 0; i + 1 < job.count; ++i) job.ranks[i] = tables.rank(job.symbols[i], job.symbols[i + 1]);
    }
    tables.merge_many(jobs.data(), count);
    const MergeJob* job = jobs.data();
    for (size_t l = begin; l < end; ++l) {
      const Line& line = lines[l];
      if (line.size == 1) continue;
      if (together(line)) {
        symbols.assign(job->symbols, job->symbols + job->count);
        ++job;
      } else {
        symbols.resize(line.size);
        for (size_t i = 0; i < line.size; ++i) symbols[i] = symbol(line, i);
      }
      if (symbols.size() > 2) {
        symbols.resize(packed ? tables.merge(symbols.data(), symbols.size(), scratch) : merge(model.pairs, symbols.data(), symbols.size(), scratch));
      }
      if (symbols.size() != 2 || !model.pairs.insert(symbols[0], symbols[1], line.rank, line.rank)) continue;
      if (packed) tables.insert(symbols[0], symbols[1], line.rank, line.rank);
    }
  }
}

void add_special(Model& model, const std::vector<SpecialToken>& special) {
  for (const SpecialToken& s : special) {
    if (s.content.empty() || s.content.size() > kMaxTokenBytes)
      throw invalid_argument("specialTokens", "a special token has 1 to %zu bytes, not %zu", kMaxTokenBytes, s.content.size());
    if (model.flags[s.id])
      throw invalid_argument("specialTokens", "the special token '%s' has the id %u, which another token has",
                             s.content.substr(0, 80).c_str(), s.id);
    model.tokens.set(s.id, s.content);
    if (model.by_content.insert(model.tokens, s.id) != kNoId)
      throw invalid_argument("specialTokens", "'%s' is a token of the ranks already", s.content.substr(0, 80).c_str());
    model.bytes.set(s.id, s.content);
    model.flags[s.id] = XC_TOKEN_PRESENT | XC_TOKEN_SPECIAL | XC_TOKEN_ADDED;
    AddedToken added;
    added.id = s.id;
    added.content = s.content;
    added.special = true;
    model.added.push_back(std::move(added));
  }
}

}  // namespace

bool looks_like_ranks(std::string_view text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, std::min<size_t>(end, 4096));
  if (line.substr(0, 2) == "! ") return true;
  const auto& value = base64_values();
  size_t at = 0;
  while (at < line.size() && value[static_cast<uint8_t>(line[at])] >= 0) ++at;
  const size_t digits = at;
  while (at < line.size() && line[at] == '=') ++at;
  if (digits == 0 || at >= line.size() || line[at] != ' ') return false;
  ++at;
  const size_t rank = at;
  while (at < line.size() && line[at] >= '0' && line[at] <= '9') ++at;
  return at > rank && (at == line.size() || line[at] == '\r');
}

Model read_ranks(std::string_view text, std::string_view pattern, const std::vector<SpecialToken>& special) {
  const Ranks ranks = parse(text);
  uint32_t last = ranks.lines.back().rank;
  for (const SpecialToken& s : special) {
    if (s.id > kMaxId) throw invalid_argument("specialTokens", "the id %u is beyond 2^28", s.id);
    last = std::max(last, s.id);
  }
  Model model;
  model.kind = Kind::byte_level;
  model.ignore_merges = true;
  const size_t size = size_t{last} + 1;
  model.tokens.resize(size);
  model.bytes.resize(size);
  model.flags.assign(size, 0);
  model.model_token.assign(size, 0);
  model.by_content.reserve(size);
  std::string name;
  for (const Line& line : ranks.lines) {
    const std::string_view bytes = ranks.bytes(line);
    visible(bytes, name);
    model.tokens.set(line.rank, name);
    if (model.by_content.insert(model.tokens, line.rank) != kNoId)
      throw error(XC_INVALID_FORMAT, "ranks", -1, "the token of rank %u is there twice", line.rank);
    model.bytes.set(line.rank, bytes);
    model.flags[line.rank] = XC_TOKEN_PRESENT;
    model.model_token[line.rank] = 1;
  }
  add_special(model, special);
  find_byte_tokens(model);
  for (int byte = 0; byte < 256; ++byte) {
    if (model.byte_token[byte] == kNoId)
      throw error(XC_INVALID_FORMAT, "ranks", -1, "the byte 0x%02x has no token; every single byte needs one", byte);
  }

  find_pairs(ranks, model);
  set_pattern(model, pattern);
  const uint32_t end = model.by_content.find(model.tokens, "<|endoftext|>");
  if (end != kNoId && model.flags[end] & XC_TOKEN_SPECIAL) model.eos = end;
  mark_end_of_generation(model);
  model.properties.emplace_back("special_tokens", "tiktoken");  // its rules for special tokens in text
  return model;
}

}  // namespace xcore::tokenizer
