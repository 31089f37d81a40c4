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
#include "runtime/thread_pool.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/merge/merge_tables.hpp"
#include "tokenizer/together.hpp"

namespace xcore::tokenizer {
namespace {

constexpr uint32_t kMaxId = (1u << 28) - 1;

struct Line {
  uint32_t rank;
  uint32_t begin, size;  // of the token's bytes in the arena
};

struct Ranks {
  Flat<char> arena;
  Large<Line> lines;
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

// Decodes one word of base64 that starts at `at` to `out`, of which as many bytes may be overwritten as the word has; returns
// where it ends, and the end of the bytes.
size_t base64(std::string_view text, size_t at, char*& out) {
  const auto& value = base64_values();
  const size_t start = at;
  const auto digit = [&](size_t i) { return static_cast<int32_t>(value[static_cast<uint8_t>(text[i])]); };
  for (; text.size() - at >= 4; at += 4) {
    const int32_t a = digit(at), b = digit(at + 1), c = digit(at + 2), d = digit(at + 3);
    if ((a | b | c | d) < 0) break;
    const int32_t bits = a << 18 | b << 12 | c << 6 | d;
    *out++ = static_cast<char>(bits >> 16);
    *out++ = static_cast<char>(bits >> 8);
    *out++ = static_cast<char>(bits);
  }
  uint32_t bits = 0;
  int held = 0;
  for (; at < text.size() && digit(at) >= 0; ++at) {
    bits = bits << 6 | static_cast<uint32_t>(digit(at));
    held += 6;
    if (held >= 8) {
      held -= 8;
      *out++ = static_cast<char>(bits >> held & 0xff);
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

// The lines of text[at, end), with the bytes of their tokens in the arena from `at` on.
Large<Line> parse_lines(std::string_view text, size_t at, size_t end, char* arena) {
  Large<Line> lines;
  lines.reserve((end - at) / 12);
  text = text.substr(0, end);
  char* out = arena + at;
  const auto take = [&](size_t& at) {
    const auto begin = static_cast<size_t>(out - arena);
    at = base64(text, at, out);
    const size_t size = static_cast<size_t>(out - arena) - begin;
    if (size == 0) fail(at, "an empty token");
    if (size > kMaxTokenBytes) fail(at, "a token of more than 1024 bytes");
    return Line{0, static_cast<uint32_t>(begin), static_cast<uint32_t>(size)};
  };
  const auto skip = [&](size_t& at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r')) ++at;
  };
  while (at < text.size()) {
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
        lines.push_back(line);
      }
    } else if (at < text.size()) {
      Line line = take(at);
      skip(at);
      at = number(text, at, line.rank);
      skip(at);
      if (at < text.size() && text[at] != '\n') fail(at, "more than a token and its rank");
      lines.push_back(line);
    }
  }
  return lines;
}

Ranks parse(std::string_view text) {
  Ranks ranks;
  ranks.arena = Flat<char>::uninitialised(text.size());
  // No line knows of another.
  const size_t middle = std::min(text.find('\n', text.size() / 2), text.size());
  Large<Line> second;
  try {
    together([&] { ranks.lines = parse_lines(text, 0, middle, ranks.arena.writable()); },
             [&] { second = parse_lines(text, middle, text.size(), ranks.arena.writable()); });
  } catch (const Error&) {
    parse_lines(text, 0, text.size(), ranks.arena.writable());  // the first of two errors is said
    throw;
  }
  ranks.lines.insert(ranks.lines.end(), second.begin(), second.end());
  if (ranks.lines.empty()) fail(0, "no token");
  const auto by_rank = [](const Line& a, const Line& b) { return a.rank < b.rank; };
  if (!std::is_sorted(ranks.lines.begin(), ranks.lines.end(), by_rank)) std::sort(ranks.lines.begin(), ranks.lines.end(), by_rank);
  for (size_t i = 1; i < ranks.lines.size(); ++i) {
    if (ranks.lines[i].rank == ranks.lines[i - 1].rank)
      throw error(XC_INVALID_FORMAT, "ranks", -1, "two tokens have the rank %u", ranks.lines[i].rank);
  }
  return ranks;
}

// As byte-level vocabularies write them, so that every token has a name. `out` has room for two bytes a byte; returns the end.
char* visible(std::string_view bytes, char* out) {
  for (const char b : bytes) {
    const uint32_t c = character_of_byte(static_cast<uint8_t>(b));
    if (c < 0x80) {
      *out++ = static_cast<char>(c);
    } else {
      *out++ = static_cast<char>(0xc0 | c >> 6);
      *out++ = static_cast<char>(0x80 | (c & 63));
    }
  }
  return out;
}

// Tokens are merged in groups, each with the pairs of those before its group, by all threads. If two parts are left of one, they
// are its pair: tokens of the same group rank higher than whatever merged. If more are left, a token of the group may join them.
class PairFinder {
 public:
  PairFinder(const Ranks& ranks, Model& model)
      : ranks_(ranks), lines_(ranks.lines), model_(model), packed_(ranks.lines.back().rank < MergeTables::kMaxSymbols) {}

  void run() {
    const size_t count = lines_.size();
    if (packed_) {
      tables_.reserve(count, lines_.back().rank + 1);
      model_.merges.reserve(count);
      model_.merges_are_reached = true;
    } else {
      model_.pairs.reserve(count);
    }
    MergeScratch scratch;
    // Larger groups have more work for the threads, and more tokens that need another.
    for (size_t begin = 0, end; begin < count; begin = end) {
      end = std::min(count, begin + std::max<size_t>(kTogether, std::min<size_t>(begin / 8, kMostInGroup) / kTogether * kTogether));
      left_.resize(end - begin);
      if (packed_) {
        thread_pool().parallel_for(static_cast<int64_t>((end - begin + kTogether - 1) / kTogether), 8, [&](int64_t first, int64_t last) {
          for (auto k = static_cast<size_t>(first); k < static_cast<size_t>(last); ++k)
            merge_together(begin + k * kTogether, std::min(end, begin + (k + 1) * kTogether), left_.data() + k * kTogether);
        });
      }
      for (size_t l = begin; l < end; ++l) add(lines_[l], left_[l - begin], scratch);
    }
  }

 private:
  static constexpr size_t kTogether = 32, kMostInGroup = 8192;
  // The symbols of a token that are left, if few enough to be merged beforehand.
  struct Left {
    uint32_t count = 0;
    uint32_t symbols[2];  // if there are two
  };

  uint32_t symbol(const Line& line, size_t i) const { return model_.byte_token[static_cast<uint8_t>(ranks_.arena[line.begin + i])]; }

  void merge_together(size_t begin, size_t end, Left* left) const {
    MergeJob jobs[kTogether];
    uint32_t place[kTogether];
    size_t count = 0;
    for (size_t l = begin; l < end; ++l) {
      const Line& line = lines_[l];
      left[l - begin].count = 0;
      if (line.size < 2 || line.size > MergeJob::kMost) continue;
      place[count] = static_cast<uint32_t>(l - begin);
      MergeJob& job = jobs[count++];
      job.count = line.size;
      for (uint32_t i = 0; i < job.count; ++i) job.symbols[i] = symbol(line, i);
      for (uint32_t i = 0; i + 1 < job.count; ++i) tables_.prefetch_rank(job.symbols[i], job.symbols[i + 1]);
    }
    for (size_t k = 0; k < count; ++k) {
      MergeJob& job = jobs[k];
      for (uint32_t i = 0; i + 1 < job.count; ++i) job.ranks[i] = tables_.rank(job.symbols[i], job.symbols[i + 1]);
    }
    tables_.merge_many(jobs, count);
    for (size_t k = 0; k < count; ++k) left[place[k]] = {jobs[k].count, {jobs[k].symbols[0], jobs[k].symbols[1]}};
  }

  void add(const Line& line, const Left& left, MergeScratch& scratch) {
    if (line.size == 1) return;
    uint32_t pair[2] = {left.symbols[0], left.symbols[1]};
    if (left.count != 2) {
      symbols_.resize(line.size);
      for (size_t i = 0; i < line.size; ++i) symbols_[i] = symbol(line, i);
      if (line.size > 2)
        symbols_.resize(packed_ ? tables_.merge(symbols_.data(), symbols_.size(), scratch) : merge(model_.pairs, symbols_.data(), symbols_.size(), scratch));
      if (symbols_.size() != 2) return;
      pair[0] = symbols_[0];
      pair[1] = symbols_[1];
    }
    if (!packed_) {
      model_.pairs.insert(pair[0], pair[1], line.rank, line.rank);
      return;
    }
    tables_.insert(pair[0], pair[1], line.rank, line.rank);
    model_.merges.push_back({pair[0], pair[1], line.rank, line.rank});
  }

  const Ranks& ranks_;
  const Large<Line>& lines_;
  Model& model_;
  const bool packed_;
  MergeTables tables_;
  Large<Left> left_;
  std::vector<uint32_t> symbols_;
};

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
  // Tables are as long as the largest id: a small file must not ask for gigabytes.
  const uint64_t allowed = (uint64_t{1} << 20) + 16 * ranks.lines.size();
  uint32_t last = ranks.lines.back().rank;
  if (last >= allowed)
    throw error(XC_INVALID_FORMAT, "ranks", -1, "the largest rank is %u, but there are only %zu tokens", last, ranks.lines.size());
  for (const SpecialToken& s : special) {
    if (s.id >= allowed) throw invalid_argument("specialTokens", "the id %u is far beyond the %zu ranks", s.id, ranks.lines.size());
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
  model.tokens.reserve_text(2 * ranks.arena.size());
  model.bytes.reserve_text(ranks.arena.size());
  together(
      [&] {
        constexpr size_t kTogether = 32;
        char names[kTogether][2 * kMaxTokenBytes];
        std::string_view name[kTogether];
        uint64_t hashes[kTogether];
        for (size_t begin = 0; begin < ranks.lines.size(); begin += kTogether) {
          const size_t count = std::min(kTogether, ranks.lines.size() - begin);
          for (size_t k = 0; k < count; ++k) {
            name[k] = {names[k], static_cast<size_t>(visible(ranks.bytes(ranks.lines[begin + k]), names[k]) - names[k])};
            model.by_content.prefetch(hashes[k] = hash_bytes(name[k]));
          }
          for (size_t k = 0; k < count; ++k) {
            const uint32_t id = ranks.lines[begin + k].rank;
            model.tokens.set(id, name[k]);
            if (model.by_content.insert(model.tokens, id, hashes[k]) != kNoId)
              throw error(XC_INVALID_FORMAT, "ranks", -1, "the token of rank %u is there twice", id);
          }
        }
      },
      [&] {
        for (const Line& line : ranks.lines) {
          model.bytes.set(line.rank, ranks.bytes(line));
          model.flags[line.rank] = XC_TOKEN_PRESENT;
          model.model_token[line.rank] = 1;
        }
      });
  add_special(model, special);
  find_byte_tokens(model);
  for (int byte = 0; byte < 256; ++byte) {
    if (model.byte_token[byte] == kNoId)
      throw error(XC_INVALID_FORMAT, "ranks", -1, "the byte 0x%02x has no token; every single byte needs one", byte);
  }

  PairFinder(ranks, model).run();
  set_pattern(model, pattern);
  const uint32_t end = model.by_content.find(model.tokens, "<|endoftext|>");
  if (end != kNoId && model.flags[end] & XC_TOKEN_SPECIAL) model.eos = end;
  mark_end_of_generation(model);
  model.properties.emplace_back("special_tokens", "tiktoken");  // its rules for special tokens in text
  return model;
}

}  // namespace xcore::tokenizer
