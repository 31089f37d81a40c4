#include "tokenizer/encode/piece_encoder.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "runtime/philox.hpp"
#include "runtime/thread_pool.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/utf8.hpp"

using namespace xcore;
using namespace xcore::tokenizer;

namespace {

using Ids = std::vector<uint32_t>;

const std::vector<std::string> kWords = {
    " the", " of", "ing", " Straße", "'s", "don't", " naïve", "\n", "\n\n", "    ", "\t", " 1234", "56", "HTTPServer", " camelCase", "...", "!?",
    "()", "吾輩は猫である", "中文分词测试", "，", "。", "한국어", "\xe3\x80\x80", " привет", "мир", "\xf0\x9f\x98\x80", "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd", "\xff", "\xe4\xb8",
    "aaaaaaaa", "abcabc", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "\xe2\x96\x81", "é", "हिन्दी", "ไทย"};

std::string random_text(Philox& random, uint32_t words) {
  std::string text;
  for (; words > 0; --words) {
    const std::string& w = kWords[random.next_below(static_cast<uint32_t>(kWords.size()))];
    if (random.next_below(8) == 0) {  // a piece of it, perhaps within a character
      text += w.substr(random.next_below(static_cast<uint32_t>(w.size())));
    } else {
      text += w;
    }
  }
  return text;
}

// A model trained on `text`: the most frequent pair becomes a token, again and again. SentencePiece models start from
// characters and keep the bytes for the rest.
Model train(Kind kind, const std::string& text, size_t merges) {
  std::vector<std::string> tokens;
  std::map<std::string, uint32_t> ids;
  const auto add = [&](const std::string& s) {
    const auto [at, fresh] = ids.emplace(s, static_cast<uint32_t>(tokens.size()));
    if (fresh) tokens.push_back(s);
    return at->second;
  };
  if (kind == Kind::byte_level) {
    for (int b = 0; b < 256; ++b) add(std::string(1, static_cast<char>(b)));
  } else {
    for (int b = 0; b < 256; ++b) tokens.push_back("<0x" + std::to_string(b) + ">");
  }
  Ids symbols;
  const uint8_t* const end = bytes_of(text) + text.size();
  for (const uint8_t* p = bytes_of(text); p < end;) {
    const CodePoint c = kind == Kind::byte_level ? CodePoint{0, 1} : decode_utf8(p, end);
    if (kind == Kind::byte_level || c.value != kInvalid) symbols.push_back(add(std::string(p, p + c.length)));
    p += c.length;
  }
  Model model;
  model.kind = kind;
  const size_t first = tokens.size();
  for (uint32_t rank = 0; rank < merges; ++rank) {
    std::map<std::pair<uint32_t, uint32_t>, int> counts;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) ++counts[{symbols[i], symbols[i + 1]}];
    std::pair<uint32_t, uint32_t> best;
    int most = 0;
    for (const auto& [pair, n] : counts) {
      const std::string joined = tokens[pair.first] + tokens[pair.second];
      if (n > most && joined.size() < 40 && !ids.count(joined)) {
        most = n;
        best = pair;
      }
    }
    if (most == 0) break;
    const uint32_t joined = add(tokens[best.first] + tokens[best.second]);
    model.pairs.insert(best.first, best.second, rank, joined);
    size_t out = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
      const bool join = i + 1 < symbols.size() && symbols[i] == best.first && symbols[i + 1] == best.second;
      symbols[out++] = join ? joined : symbols[i];
      i += join;
    }
    symbols.resize(out);
  }
  EXPECT_GT(tokens.size(), first + merges / 2);
  const auto size = static_cast<uint32_t>(tokens.size());
  model.tokens.resize(size);
  model.bytes.resize(size);
  model.flags.assign(size, XC_TOKEN_PRESENT);
  model.model_token.assign(size, 1);
  model.by_content.reserve(size);
  for (uint32_t id = 0; id < size; ++id) {
    const bool byte = id < 256;
    model.tokens.set(id, tokens[id]);
    model.bytes.set(id, byte ? std::string(1, static_cast<char>(id)) : tokens[id]);
    model.by_content.insert(model.tokens, id);
    if (byte) model.byte_token[id] = id;
    if (byte && kind == Kind::sentencepiece) model.model_token[id] = 0;
  }
  return model;
}

// The definition: pieces one by one, merged by the plain loop.
Ids expected_ids(const Tokenizer& t, Pattern pattern, const std::string& text) {
  const Model& m = t.model();
  Ids all;
  const uint8_t* const end = bytes_of(text) + text.size();
  for (const uint8_t* p = bytes_of(text); p < end;) {
    const uint8_t* const stop = m.kind == Kind::byte_level ? next_piece(pattern, p, end) : end;
    Ids ids;
    std::vector<std::string> unknown;
    while (p < stop) {
      const CodePoint c = m.kind == Kind::byte_level ? CodePoint{0, 1} : decode_utf8(p, stop);
      const std::string s(p, p + c.length);
      const uint32_t id = m.kind == Kind::byte_level ? m.byte_token[*p] : c.value == kInvalid ? kNoId : m.by_content.find(m.tokens, s);
      if (id == kNoId) {
        for (const char b : s) ids.push_back(m.byte_token[static_cast<uint8_t>(b)]);
      } else {
        ids.push_back(id);
      }
      p += c.length;
    }
    ids.resize(merge_ref(m.pairs, ids.data(), ids.size()));
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return all;
}

Ids encode(const Tokenizer& t, const std::string& text, size_t capacity) {
  Ids ids(capacity);
  Sink sink{ids.data(), capacity};
  t.encode(text, 0, sink);
  ids.resize(std::min(capacity, sink.count));
  return ids;
}

class Encoding : public ::testing::TestWithParam<std::pair<Kind, Pattern>> {
 protected:
  static constexpr size_t kMerges = 200;
  // SentencePiece models see blanks as U+2581: the texts are written so.
  static std::string random_text(Philox& random, uint32_t words) {
    std::string text = ::random_text(random, words);
    if (GetParam().first == Kind::byte_level) return text;
    for (size_t at = 0; (at = text.find(' ', at)) != std::string::npos;) text.replace(at, 1, "\xe2\x96\x81");
    return text;
  }
  std::unique_ptr<Tokenizer> make() const {
    static std::map<Kind, Model> trained;
    if (!trained.count(GetParam().first)) {
      Philox random(41);
      trained.emplace(GetParam().first, train(GetParam().first, random_text(random, 500), kMerges));
    }
    Model m = trained.at(GetParam().first);
    if (m.kind == Kind::byte_level) m.steps.push_back({GetParam().second, false});
    return std::make_unique<Tokenizer>(std::move(m));
  }
  Pattern pattern() const { return GetParam().second; }
};

}  // namespace

TEST_P(Encoding, gives_the_ids_of_the_definition_with_cold_and_warm_caches) {
  const auto t = make();
  Philox random(43);
  for (int round = 0; round < 300; ++round) {
    const std::string text = random_text(random, 1 + random.next_below(120));
    const Ids expected = expected_ids(*t, pattern(), text);
    if (round % 50 == 0) t->cache().clear();
    ASSERT_EQ(encode(*t, text, text.size() + 64), expected) << ::testing::PrintToString(text);
    ASSERT_EQ(encode(*t, text, text.size()), expected);
    Sink counting{nullptr, 0};
    t->encode(text, 0, counting);
    ASSERT_EQ(counting.count, expected.size());
  }
}

// Large batches, in which a few or most pieces are new.
TEST_P(Encoding, puts_new_pieces_between_known_ones_where_they_belong) {
  const auto t = make();
  Philox random(73);
  if (pattern() == Pattern::none && GetParam().first == Kind::byte_level) GTEST_SKIP() << "SKIPPED: the definition is quadratic in a piece";
  for (const uint32_t unlike : {0u, 3u, 40u}) {  // of 64 words
    t->cache().clear();
    std::string text;
    for (int word = 0; word < 4000; ++word) {
      if (random.next_below(64) >= unlike) {
        text += random_text(random, 1);
        continue;
      }
      text += pattern() == Pattern::none ? "\xe2\x96\x81" : " ";
      for (uint32_t k = 1 + random.next_below(20); k > 0; --k) text += static_cast<char>('a' + random.next_below(26));
    }
    std::string known = text;
    for (size_t at = 0; at + 64 < known.size(); at += 64) {  // the half of it, so that the rest is new
      const std::string part = known.substr(at, 32);
      encode(*t, part, part.size() + 64);
    }
    Ids expected;
    for (size_t at = 0; at < text.size();) {  // in parts between words that nothing joins: merging by the definition is quadratic
      size_t stop = pattern() == Pattern::none ? text.find("\xe2\x96\x81", at + 400) : std::string::npos;
      stop = std::min(stop, text.size());
      const Ids ids = expected_ids(*t, pattern(), text.substr(at, stop - at));
      expected.insert(expected.end(), ids.begin(), ids.end());
      at = stop;
    }
    if (pattern() == Pattern::none) expected = expected_ids(*t, pattern(), text = text.substr(0, 6000));
    ASSERT_EQ(encode(*t, text, text.size() + 64), expected);
    t->cache().clear();
    ASSERT_EQ(encode(*t, text, expected.size()), expected);  // through a buffer of its own
    t->cache().clear();
    Sink counting{nullptr, 0};
    t->encode(text, 0, counting);
    ASSERT_EQ(counting.count, expected.size());
  }
}

// They are put together from their parts, then kept whole.
TEST_P(Encoding, long_pieces_of_several_parts_are_learned_when_they_come_twice) {
  if (pattern() == Pattern::none) GTEST_SKIP() << "SKIPPED: of models whose texts are cut";
  const auto t = make();
  Philox random(79);
  std::string text;
  for (int piece = 0; piece < 300; ++piece) {
    for (uint32_t k = 6 + random.next_below(40); k > 0; --k) append_utf8(text, 0x4e00 + random.next_below(300));
    text += random.next_below(2) ? " " : "\n";
  }
  const Ids expected = expected_ids(*t, pattern(), text);
  uint64_t lookups[4] = {}, misses[4] = {};
  for (int pass = 0; pass < 4; ++pass) {
    const CacheStats before = t->cache().stats();
    ASSERT_EQ(encode(*t, text, text.size() + 64), expected) << "pass " << pass;
    lookups[pass] = t->cache().stats().lookups - before.lookups;
    misses[pass] = t->cache().stats().misses - before.misses;
  }
  EXPECT_LT(lookups[2] * 2, lookups[0]);
  EXPECT_GT(misses[1], 200u);
  EXPECT_EQ(misses[2], 0u);
  EXPECT_EQ(misses[3], 0u);
}

TEST_P(Encoding, never_writes_beyond_its_capacity) {
  const auto t = make();
  Philox random(47);
  for (int round = 0; round < 200; ++round) {
    const std::string text = random_text(random, 1 + random.next_below(200));
    const Ids expected = expected_ids(*t, pattern(), text);
    const size_t capacity = 1 + random.next_below(static_cast<uint32_t>(expected.size() + 4));
    Ids ids(capacity + 64, 77777);
    Sink sink{ids.data(), capacity};
    t->encode(text, 0, sink);
    ASSERT_EQ(sink.count, expected.size());
    const size_t kept = std::min(capacity, expected.size());
    ASSERT_TRUE(std::equal(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(kept), ids.begin()));
    for (size_t i = capacity; i < ids.size(); ++i) ASSERT_EQ(ids[i], 77777u);
  }
}

TEST_P(Encoding, stays_right_and_within_bounds_when_the_cache_overflows) {
  const auto t = make();
  t->cache().limit(1);  // the least
  Philox random(53);
  for (int round = 0; round < 40; ++round) {
    std::string text;
    for (int i = 0; i < (round % 20 == 0 ? 300 : 4000); ++i) {  // pieces that never come again
      text += GetParam().first == Kind::byte_level ? " " : "\xe2\x96\x81";
      for (uint32_t k = 1 + random.next_below(i % 16 == 0 ? 60 : 12); k > 0; --k) text += static_cast<char>('a' + random.next_below(26));
    }
    const Ids ids = encode(*t, text, text.size() + 64);
    if (round % 20 == 0) {
      ASSERT_EQ(ids, expected_ids(*t, pattern(), text));
    }
    ASSERT_LE(t->cache().stats().bytes, size_t{5} << 18);
  }
  if (pattern() != Pattern::none) {
    EXPECT_GT(t->cache().stats().misses, 100000u);
  }
}

TEST_P(Encoding, is_the_same_on_many_threads) {
  const auto t = make();
  const int threads = thread_pool().threads();
  Philox random(59);
  std::string text;
  while (text.size() < 1500000) text += random_text(random, 40) + "\nNext";
  thread_pool().set_threads(1);
  const Ids one = encode(*t, text, text.size() + 64);
  thread_pool().set_threads(3);
  EXPECT_EQ(encode(*t, text, text.size() + 64), one);
  EXPECT_EQ(encode(*t, text, one.size()), one);  // no room for each part's worst case
  Sink counting{nullptr, 0};
  t->encode(text, 0, counting);
  EXPECT_EQ(counting.count, one.size());
  thread_pool().set_threads(threads);
}

TEST_P(Encoding, stops_early_when_there_are_more_ids_than_asked) {
  const auto t = make();
  Philox random(61);
  const std::string text = random_text(random, 20000);
  if (GetParam() == std::pair(Kind::byte_level, Pattern::none)) GTEST_SKIP() << "SKIPPED: a text of one piece is encoded whole";
  Sink all{nullptr, 0};
  t->encode(text, 0, all);
  Sink some{nullptr, 0};
  some.stop_after = 500;
  t->encode(text, 0, some);
  EXPECT_GT(some.count, 500u);
  EXPECT_LT(some.count, all.count / 4);
}

TEST_P(Encoding, knows_which_tokens_merging_reaches) {
  const auto t = make();
  const Model& m = t->model();
  const MergeTables tables(m.pairs, nullptr);
  ASSERT_TRUE(tables.monotone());
  const std::vector<bool> reached = reached_symbols(by_rank(m.pairs), tables);
  size_t no = 0;
  for (uint32_t id = 256; id < reached.size(); ++id) {
    Ids ids;
    const std::string token(m.tokens[id]);
    const uint8_t* const end = bytes_of(token) + token.size();
    for (const uint8_t* p = bytes_of(token); p < end;) {
      const uint32_t length = m.kind == Kind::byte_level ? 1 : decode_utf8(p, end).length;
      ids.push_back(m.by_content.find(m.tokens, std::string(p, p + length)));
      p += length;
    }
    ids.resize(merge_ref(m.pairs, ids.data(), ids.size()));
    EXPECT_EQ(reached[id], ids == Ids{id}) << token;
    no += !reached[id];
  }
  RecordProperty("unreached", static_cast<int>(no));
}

TEST_P(Encoding, decodes_what_it_encoded) {
  const auto t = make();
  Philox random(67);
  const std::string text = random_text(random, 5000);
  const Ids ids = encode(*t, text, text.size() + 64);
  std::string back;
  t->decode(ids.data(), ids.size(), false, back);
  EXPECT_EQ(back, text);
}

INSTANTIATE_TEST_SUITE_P(Models, Encoding,
                         ::testing::Values(std::pair(Kind::byte_level, Pattern::gpt2), std::pair(Kind::byte_level, Pattern::cl100k),
                                           std::pair(Kind::byte_level, Pattern::o200k), std::pair(Kind::byte_level, Pattern::none),
                                           std::pair(Kind::sentencepiece, Pattern::none)));

// A vocabulary entry that merging never makes stands for a piece that is it, but not for a part of a piece.
// Added tokens cut such text into many segments, which are encoded together, and its lines by all threads.
TEST(Segments, give_the_ids_of_each_segment_alone_on_one_thread_and_on_many) {
  Philox random(31);
  Model m = train(Kind::sentencepiece, random_text(random, 3000), 150);
  const auto first = static_cast<uint32_t>(m.tokens.size());
  const std::vector<std::string> contents = {"\n", "\n\n", "<tag>", "\t"};
  StringTable tokens, bytes;
  for (StringTable* t : {&tokens, &bytes}) t->resize(first + contents.size());
  for (uint32_t id = 0; id < first; ++id) {
    tokens.set(id, m.tokens[id]);
    bytes.set(id, m.bytes[id]);
  }
  for (size_t i = 0; i < contents.size(); ++i) {
    const auto id = first + static_cast<uint32_t>(i);
    tokens.set(id, contents[i]);
    bytes.set(id, contents[i]);
    AddedToken added;
    added.content = contents[i];
    added.id = id;
    m.added.push_back(added);
  }
  m.tokens = std::move(tokens);
  m.bytes = std::move(bytes);
  m.flags.resize(first + contents.size(), XC_TOKEN_PRESENT | XC_TOKEN_ADDED);
  m.model_token.resize(first + contents.size(), 0);
  const Tokenizer t(std::move(m));
  const auto encode = [&](std::string_view text) {
    Ids ids(3 * text.size() + Sink::kSlack);
    Sink sink{ids.data(), ids.size()};
    t.encode(text, 0, sink);
    ids.resize(sink.count);
    return ids;
  };
  std::string text;
  Ids expected;
  while (text.size() < 1500000) {
    std::string segment = "Line" + random_text(random, random.next_below(20));
    for (char& c : segment) c = c == '\n' || c == '\t' ? ' ' : c;
    const size_t i = random.next_below(static_cast<uint32_t>(contents.size()));
    const Ids own = encode(segment);
    expected.insert(expected.end(), own.begin(), own.end());
    expected.push_back(first + static_cast<uint32_t>(i));
    text += segment + contents[i];
  }
  const int threads = thread_pool().threads();
  for (const int n : {1, 3}) {
    thread_pool().set_threads(n);
    t.cache().clear();
    EXPECT_EQ(encode(text), expected) << n << " threads";
    EXPECT_EQ(encode(text), expected) << n << " threads, warm";
    Sink counted{nullptr, 0};
    t.encode(text, 0, counted);
    EXPECT_EQ(counted.count, expected.size());
  }
  EXPECT_TRUE(t.cuts_between_lines());
  thread_pool().set_threads(threads);
}

TEST(IgnoreMerges, counts_for_whole_pieces_alone) {
  for (const bool part_first : {false, true}) {
    Model m = train(Kind::byte_level, "\xe5\xad\x97\xe5\xad\x97 \xe5\xad\x97\xe5\xad\x97", 2);
    std::vector<std::string> tokens;
    for (uint32_t id = 0; id < m.tokens.size(); ++id) tokens.emplace_back(m.tokens[id]);
    const std::string pair = "\xe4\xb8\xad\xe6\x96\x87", longer = pair + pair + pair;
    tokens.push_back(pair);
    tokens.push_back(longer);
    const auto size = static_cast<uint32_t>(tokens.size());
    Model grown;
    grown.pairs = m.pairs;
    grown.tokens.resize(size);
    grown.bytes.resize(size);
    grown.flags.assign(size, XC_TOKEN_PRESENT);
    grown.model_token.assign(size, 1);
    grown.by_content.reserve(size);
    for (uint32_t id = 0; id < size; ++id) {
      grown.tokens.set(id, tokens[id]);
      grown.bytes.set(id, tokens[id]);
      grown.by_content.insert(grown.tokens, id);
      if (id < 256) grown.byte_token[id] = id;
    }
    grown.ignore_merges = true;
    grown.steps.push_back({Pattern::cl100k, false});
    const Tokenizer t(std::move(grown));
    const std::string other = "\xe5\xad\x97";
    for (const std::string& word : {pair, longer}) {
      const uint32_t id = t.model().by_content.find(t.model().tokens, word);
      const auto check_part = [&] {
        for (const std::string& text : {other + word, other + other + other + other + word}) {
          EXPECT_EQ(encode(t, text, text.size() + 16), expected_ids(t, Pattern::cl100k, text));
        }
      };
      if (part_first) check_part();
      EXPECT_EQ(encode(t, word, 64), Ids{id});
      check_part();
      EXPECT_EQ(encode(t, word, 64), Ids{id});
    }
  }
}

// Random pairs, not trained ones: many tokens are not reached.
TEST(ReachedSymbols, agree_with_merging_on_random_monotone_tables) {
  Philox random(71);
  size_t reached_count = 0, missed_count = 0;
  for (int round = 0; round < 300; ++round) {
    PairTable pairs;
    const uint32_t letters = 1 + random.next_below(3);
    std::vector<Ids> content;
    for (uint32_t i = 0; i < letters; ++i) content.push_back({i});
    for (uint32_t i = 0; i < 40; ++i) {
      const uint32_t a = random.next_below(static_cast<uint32_t>(content.size())), b = random.next_below(static_cast<uint32_t>(content.size()));
      if (content[a].size() + content[b].size() > 24 || !pairs.insert(a, b, i, static_cast<uint32_t>(content.size()))) continue;
      Ids joined = content[a];
      joined.insert(joined.end(), content[b].begin(), content[b].end());
      content.push_back(joined);
    }
    const MergeTables tables(pairs, nullptr);
    if (!tables.packed()) continue;
    const std::vector<bool> reached = reached_symbols(by_rank(pairs), tables);
    for (uint32_t id = letters; id < content.size() && id < reached.size(); ++id) {
      Ids ids = content[id];
      ids.resize(merge_ref(pairs, ids.data(), ids.size()));
      ASSERT_EQ(reached[id], ids == Ids{id}) << "round " << round << " symbol " << id;
      ++(reached[id] ? reached_count : missed_count);
    }
  }
  EXPECT_GT(reached_count, 500u);
  EXPECT_GT(missed_count, 500u);
}
