// The functions that run on the device, run here on the host.
#include <gtest/gtest.h>

#include <set>

#include "testing/backend.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/encode_cuda/corpus_testing.hpp"
#include "tokenizer/encode_cuda/plan.hpp"
#include "tokenizer/encode_cuda/walk.hpp"
#include "tokenizer/unicode/unicode.hpp"

using namespace xcore;
using namespace xcore::tokenizer;
using namespace xcore::tokenizer::gpu;

namespace {

// A byte-level model of the 256 bytes and some merges.
Model small_model(Pattern pattern, bool nfc = false) {
  std::string merges, vocab;
  const auto put = [&](const std::string& token, int id) { vocab += (id ? ",\"" : "\"") + token + "\":" + std::to_string(id); };
  int id = 0;
  int next = 256;
  for (int b = 0; b < 256; ++b) {
    const auto c = byte_is_printable(static_cast<uint32_t>(b)) ? static_cast<uint32_t>(b) : static_cast<uint32_t>(next++);
    std::string token;
    append_utf8(token, c);
    if (token == "\"" || token == "\\") token.insert(0, "\\");
    put(token, id++);
  }
  for (const char* m : {"a b", "ab c", "t h", "th e", "\xc4\xa0 the", "a a", "aa aa", "aaaa aaaa", "aaaaaaaa aaaaaaaa", "b c"}) {
    const std::string both(m);
    const size_t blank = both.find(' ');
    put(both.substr(0, blank) + both.substr(blank + 1), id++);
    merges += (merges.empty() ? "\"" : ",\"") + both + "\"";
  }
  Model model = read_json("{\"model\":{\"type\":\"BPE\",\"vocab\":{" + vocab + "},\"merges\":[" + merges +
                          "]},\"added_tokens\":[{\"id\":900,\"content\":\"<|x|>\",\"special\":true}]," + (nfc ? "\"normalizer\":{\"type\":\"NFC\"}," : "") +
                          "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}}");
  model.steps = {{pattern, false}};
  return model;
}

std::vector<uint32_t> starts_ref(Pattern pattern, const std::string& text, const std::vector<uint32_t>& begins) {
  std::vector<uint32_t> out;
  const uint8_t* const base = bytes_of(text);
  for (size_t s = 0; s + 1 < begins.size(); ++s) {
    for (const uint8_t* p = base + begins[s]; p < base + begins[s + 1]; p = next_piece(pattern, p, base + begins[s + 1])) {
      out.push_back(static_cast<uint32_t>(p - base));
    }
  }
  return out;
}

std::vector<Info> info_of(const Tables& t, const std::string& text) {
  std::vector<Info> info(text.size());
  const uint8_t* const begin = bytes_of(text);
  uint8_t kind;
  for (size_t i = 0; i < text.size(); ++i) info[i] = info_at(t.view().classes, begin, begin + i, begin + text.size(), kind);
  return info;
}

template <Pattern kPattern>
std::vector<uint32_t> starts_walked(const std::string& text, const std::vector<Info>& info, const std::vector<uint32_t>& begins, uint32_t step) {
  std::vector<uint32_t> out;
  const auto size = static_cast<uint32_t>(text.size());
  for (uint32_t from = 0; from < size; from += step) {
    const auto segment = static_cast<uint32_t>(std::upper_bound(begins.begin(), begins.end(), from) - begins.begin() - 1);
    walk<kPattern>(bytes_of(text), info.data(), begins.data(), segment, from, std::min(size, from + step), [&](uint32_t at) { out.push_back(at); });
  }
  std::sort(out.begin(), out.end());  // owners of neighbouring bytes may overtake each other
  return out;
}

template <Pattern kPattern>
void expect_walk(const std::string& text, const std::vector<uint32_t>& begins) {
  static const Tables tables(small_model(kPattern));
  const auto expected = starts_ref(kPattern, text, begins);
  const auto info = info_of(tables, text);
  for (const uint32_t step : {1u, 7u, 64u}) {
    ASSERT_EQ(starts_walked<kPattern>(text, info, begins, step), expected) << "step " << step << " in: " << text.substr(0, 300);
  }
}

template <class Use>
void each_pattern(Use&& use) {
  use(std::integral_constant<Pattern, Pattern::gpt2>());
  use(std::integral_constant<Pattern, Pattern::cl100k>());
  use(std::integral_constant<Pattern, Pattern::qwen2>());
  use(std::integral_constant<Pattern, Pattern::o200k>());
  use(std::integral_constant<Pattern, Pattern::tekken>());
}

template <uint32_t kSymbols>
std::vector<uint32_t> merged(const TableView& t, const std::string& piece) {
  struct Slots {
    mutable uint32_t keys[kSymbols], joins[kSymbols], ids[kSymbols];
    uint32_t& key(uint32_t i) const { return keys[i]; }
    uint32_t& joined(uint32_t i) const { return joins[i]; }
    uint32_t& id(uint32_t i) const { return ids[i]; }
  } slots;
  const std::string padded = piece + std::string(kPad, 'z');
  std::vector<uint32_t> ids;
  for (uint64_t alive = merge_short<kSymbols>(t, bytes_of(padded), static_cast<uint32_t>(piece.size()), slots); alive; alive &= alive - 1)
    ids.push_back(slots.ids[lowest_bit(alive)]);
  return ids;
}

}  // namespace

TEST(EncodeCudaLogic, threads_that_start_anywhere_find_every_piece_once) {
  Philox random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    std::vector<uint32_t> begins;
    for (uint32_t n = 1 + random.next_below(round % 20 ? 3 : 40); n > 0; --n) {
      begins.push_back(static_cast<uint32_t>(text.size()));
      const std::string more = corpus::random_text(random, 1 + random.next_below(round % 50 ? 30 : 600));
      if ((more[0] & 0xc0) == 0x80) text += 'x';  // such segments are not for the device
      text += more;
    }
    begins.push_back(static_cast<uint32_t>(text.size()));
    each_pattern([&](auto pattern) { expect_walk<pattern()>(text, begins); });
    if (HasFatalFailure()) return;
  }
}

TEST(EncodeCudaLogic, the_scanner_cuts_the_corpus_as_the_cpu_does) {
  XC_REFERENCE_OR_SKIP(path, "reference/bpe/corpus_public.txt.gz");
  const std::string text = corpus::read_gzip(path);
  for (const auto& section : corpus::kSections) {
    const std::string part = text.substr(section.begin, 600000);
    uint32_t second = 1000;  // a segment begins with a character
    while ((part[second] & 0xc0) == 0x80) ++second;
    each_pattern([&](auto pattern) { expect_walk<pattern()>(part, {0, second, static_cast<uint32_t>(part.size())}); });
    if (HasFatalFailure()) return;
  }
}

TEST(EncodeCudaLogic, a_certain_start_is_a_place_where_texts_may_be_cut) {
  Philox random(12);
  static const Tables tables(small_model(Pattern::gpt2));
  size_t cuts = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::string text = corpus::random_text(random, 30);
    const auto info = info_of(tables, text);
    const Scanner scanner(bytes_of(text), info.data(), 0, static_cast<uint32_t>(text.size()));
    for (uint32_t at = 1; at < text.size(); ++at) {
      each_pattern([&](auto pattern) {
        if (!scanner.certain_start<pattern()>(at)) {
          ASSERT_FALSE(scanner.certain_start<Pattern::none>(at)) << "none is the least of all, at " << at << ": " << text;
          return;
        }
        ++cuts;
        ASSERT_EQ(starts_ref(pattern(), text, {0, at, static_cast<uint32_t>(text.size())}), starts_ref(pattern(), text, {0, static_cast<uint32_t>(text.size())}))
            << "cut at " << at << ": " << text;
      });
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(cuts, 3000u);
}

TEST(EncodeCudaLogic, merges_short_pieces_as_the_definition_does) {
  Philox random(13);
  for (int round = 0; round < 300; ++round) {
    Model model = small_model(Pattern::gpt2);
    PairTable pairs;  // random merges over few symbols, with ties in every other round
    for (uint32_t i = 0; i < 60; ++i) {
      const auto symbol = [&] { return random.next_below(3) ? static_cast<uint32_t>(model.byte_token['a' + random.next_below(4)]) : 300 + random.next_below(i + 1); };
      const uint32_t left = symbol(), right = symbol();
      pairs.insert(left, right, random.next_below(round % 2 ? 4 : 100000), 300 + i);
    }
    model.pairs = pairs;
    const Tables tables(model);
    for (int k = 0; k < 20; ++k) {
      std::string piece;
      for (uint32_t n = 1 + random.next_below(k % 2 ? 64 : 8); n > 0; --n) piece += static_cast<char>('a' + random.next_below(4));
      std::vector<uint32_t> expected;
      for (const char c : piece) expected.push_back(model.byte_token[static_cast<uint8_t>(c)]);
      expected.resize(merge_ref(model.pairs, expected.data(), expected.size()));
      ASSERT_EQ(merged<64>(tables.view(), piece), expected) << piece;
      if (piece.size() <= 8) {
        ASSERT_EQ(merged<8>(tables.view(), piece), expected) << piece;
      }
    }
  }
}

TEST(EncodeCudaLogic, the_tables_hold_the_tokens_that_merges_reach_and_no_others) {
  const Tokenizer tokenizer(small_model(Pattern::gpt2));  // "bc" is a token, but "abc" is merged from "ab" and "c"
  const Model& model = tokenizer.model();
  const Tables tables(tokenizer);
  const auto find = [&](std::string piece) {
    const auto size = static_cast<uint32_t>(piece.size());
    piece += std::string(kPad, 'z');
    if (size > static_cast<uint32_t>(kKeyBytes)) return find_long(tables.view(), bytes_of(piece), size);
    const PieceEntry* const e = find_piece(tables.view(), key_of(bytes_of(piece), size));
    return e ? e->id : kNone;
  };
  EXPECT_EQ(find("abc"), model.by_content.find(model.tokens, "abc"));
  EXPECT_EQ(find(" the"), model.by_content.find(model.tokens, "\xc4\xa0the"));
  EXPECT_EQ(find("aaaaaaaaaaaaaaaa"), model.by_content.find(model.tokens, "aaaaaaaaaaaaaaaa"));
  EXPECT_EQ(find("aaaaaaaaaaaaaaab"), kNone);
  EXPECT_EQ(find("abcd"), kNone);
  for (int b = 0; b < 256; ++b) EXPECT_EQ(find(std::string(1, static_cast<char>(b))), model.byte_token[b]);
}

TEST(EncodeCudaLogic, long_texts_are_cut_into_parts_that_give_the_same_ids_and_added_tokens_stay_whole) {
  Philox random(14);
  for (const bool nfc : {false, true}) {
    const Tokenizer tokenizer(small_model(Pattern::cl100k, nfc));
    const Tables tables(tokenizer);
    std::vector<std::string> texts = {"", std::string(3 << 20, 'a'), "b"};
    for (int i = 0; i < 12; ++i) {
      std::string text;
      while (text.size() < 250000) text += random.next_below(30) ? corpus::random_text(random, 20) : " <|x|>";
      texts.push_back(text);
    }
    std::vector<xc_text> views;
    size_t bytes = 0;
    for (const auto& t : texts) {
      views.push_back({t.data(), t.size()});
      bytes += t.size();
    }
    Planner planner(tables, tables.added, views.data(), views.size(), bytes, 1u << 20, 4, 1000);
    std::vector<std::vector<uint32_t>> got(texts.size());
    std::set<size_t> opened, closed;
    PlannedChunk chunk;
    size_t chunks = 0, parts = 0;
    std::vector<uint32_t> ids(4 << 20);
    while (planner.next(chunk)) {
      ASSERT_EQ(chunk.index, chunks++);
      uint32_t bytes = 0;
      for (const Part& p : chunk.parts) {
        EXPECT_TRUE(!p.opens || opened.insert(p.text).second);
        EXPECT_TRUE(!p.closes || closed.insert(p.text).second);
        bytes += p.on_device ? p.size : 0;
        Sink sink{ids.data(), ids.size()};
        tokenizer.encode({p.data, p.size}, XC_ENCODE_PARSE_SPECIAL, sink);
        got[p.text].insert(got[p.text].end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(sink.count));
        ++parts;
      }
      EXPECT_EQ(bytes, chunk.device_bytes);
      EXPECT_LE(bytes, 1u << 20);
    }
    EXPECT_TRUE(planner.exhausted());
    EXPECT_EQ(opened.size(), texts.size());
    EXPECT_EQ(closed.size(), texts.size());
    EXPECT_GT(parts, texts.size() + 12);
    for (size_t i = 0; i < texts.size(); ++i) {
      Sink sink{ids.data(), ids.size()};
      tokenizer.encode(texts[i], XC_ENCODE_PARSE_SPECIAL, sink);
      ASSERT_EQ(got[i], std::vector<uint32_t>(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(sink.count))) << "text " << i;
    }
  }
}

// What the device may take for normalised must be so.
TEST(EncodeCudaLogic, text_of_inert_characters_is_in_normal_form) {
  std::vector<uint32_t> inert, others;
  for (uint32_t c = 0x20; c < 0x30000; ++c) {
    if (c < 0xd800 || c > 0xdfff) (nfc_inert(c) ? inert : others).push_back(c);
  }
  EXPECT_GT(others.size(), 1000u);
  EXPECT_GT(inert.size(), others.size());
  Philox random(15);
  for (int round = 0; round < 20000; ++round) {
    std::string text, out;
    for (int i = 0; i < 30; ++i) {
      const uint32_t below = random.next_below(2) ? static_cast<uint32_t>(inert.size()) : 0x3000;
      append_utf8(text, inert[random.next_below(below)]);
    }
    ASSERT_FALSE(normalize_nfc(text, out)) << text;
  }
}

TEST(EncodeCudaLogic, the_filter_finds_every_added_token) {
  const Tables tables(small_model(Pattern::gpt2));
  const std::string text = "abc <|x|> < |x|> <|y" + std::string(kPad, ' ');
  std::vector<size_t> found;
  for (size_t i = 0; i + kPad < text.size(); ++i) {
    if (may_begin_added(tables.added, bytes_of(text) + i)) found.push_back(i);
  }
  EXPECT_EQ(found, std::vector<size_t>{4});
  EXPECT_EQ(tables.added_ordinary.count, 0u);
}
