#include "tokenizer/pretokenize/scan.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "runtime/philox.hpp"
#include "tokenizer/unicode/utf8.hpp"

using namespace xcore::tokenizer;

namespace {

using Ends = std::vector<uint32_t>;

Ends one_by_one(Pattern pattern, const std::string& text) {
  Ends ends;
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  for (const uint8_t* p = begin; p < end;) {
    p = next_piece(pattern, p, end);
    ends.push_back(static_cast<uint32_t>(p - begin));
  }
  return ends;
}

// From a copy without a byte to spare, so that a sanitizer sees every read outside.
Ends by_blocks(Scan scan, const std::string& text, size_t wanted) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[text.size()]);
  std::copy(text.begin(), text.end(), copy.get());
  Ends ends;
  const uint8_t* p = copy.get();
  const uint8_t* const end = p + text.size();
  std::vector<uint32_t> buffer(wanted + kScanSlack);
  while (p < end) {
    const size_t n = scan(copy.get(), p, end, buffer.data(), wanted);
    EXPECT_GT(n, 0u);
    EXPECT_LE(n, buffer.size());
    ends.insert(ends.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(n));
    EXPECT_EQ(ends.back(), p - copy.get());
  }
  return ends;
}

// Characters that some alternative of some expression treats apart, and stray bytes.
const std::vector<std::string> kAlphabet = {
    "a", "B", "s", "S", "t", "re", "LL", "'", "'", "'s", "1", "23", "4567", " ", " ", "  ", "\n", "\n", "\r", "\t", "/", "//", ".", "!",
    "_", "\xc2\xa0", "\xe3\x80\x80", "\xc2\x85", "\xc5\xbf", "\xc3\xa9", "\xc3\x89", "\xc7\x85", "\xca\xb0", "\xe4\xb8\xad",
    "\xe6\x96\x87", "\xcc\x81", "\xe0\xa5\x80", "\xe0\xa4\x95", "\xc2\xbd", "\xd9\xa3", "\xf0\x9f\x98\x80", "\xe2\x80\x99",
    "\xf0\x9d\x90\x80", "\xff", "\xe2\x82", "\xed\xa0\x80", "word", "Camel", "HTTP", "    ", "\n\n", "0"};

class Scanner : public ::testing::TestWithParam<std::tuple<Pattern, int>> {
 protected:
  void SetUp() override {
    scan_ = scanner(pattern(), std::get<1>(GetParam()));
    if (!scan_) GTEST_SKIP() << "SKIPPED: this processor lacks the instructions of level " << std::get<1>(GetParam());
  }
  Pattern pattern() const { return std::get<0>(GetParam()); }
  void expect_same(const std::string& text, size_t wanted = 64) const {
    const Ends expected = one_by_one(pattern(), text), found = by_blocks(scan_, text, wanted);
    if (expected == found) return;
    size_t i = 0;
    while (i < expected.size() && i < found.size() && expected[i] == found[i]) ++i;
    FAIL() << "piece " << i << " from " << (i ? expected[i - 1] : 0) << " in " << ::testing::PrintToString(text);
  }
  Scan scan_ = nullptr;
};

}  // namespace

TEST_P(Scanner, cuts_random_text_like_the_expression) {
  xcore::Philox random(23, static_cast<uint64_t>(pattern()));
  for (int round = 0; round < 6000; ++round) {
    // Few different characters a text: long runs and their meetings at block ends become likely.
    const uint32_t kinds = 1 + random.next_below(round % 3 == 0 ? static_cast<uint32_t>(kAlphabet.size()) : 6);
    std::vector<const std::string*> some;
    for (uint32_t i = 0; i < kinds; ++i) some.push_back(&kAlphabet[random.next_below(static_cast<uint32_t>(kAlphabet.size()))]);
    std::string text;
    for (uint32_t n = random.next_below(160) + 1; n > 0; --n) text += *some[random.next_below(kinds)];
    ASSERT_NO_FATAL_FAILURE(expect_same(text, 1 + random.next_below(100)));
  }
}

TEST_P(Scanner, cuts_any_code_points_like_the_expression) {
  xcore::Philox random(29, static_cast<uint64_t>(pattern()));
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    uint32_t c = 'a';
    for (uint32_t n = random.next_below(120) + 1; n > 0; --n) {
      if (random.next_below(4) == 0) {  // elsewhere, else a neighbour
        constexpr uint32_t limits[] = {0x80, 0x800, 0x3100, 0x10000, 0x20000};
        c = random.next_below(limits[random.next_below(5)]);
      } else {
        c = (c & ~31u) | random.next_below(32);
      }
      append_utf8(text, c);
    }
    ASSERT_NO_FATAL_FAILURE(expect_same(text));
  }
}

TEST_P(Scanner, cuts_long_runs_like_the_expression) {
  xcore::Philox random(37, static_cast<uint64_t>(pattern()));
  const std::vector<std::string> runs = {"\xe4\xb8\xad", "\xed\x95\x9c", "\xd1\x84", "a", "A", "\xe0\xa4\x95", "\xc2\xaa", " ", "-", "\n", "7", "\xcc\x81"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (uint32_t n = 1 + random.next_below(4); n > 0; --n) {
      text += kAlphabet[random.next_below(static_cast<uint32_t>(kAlphabet.size()))];
      const std::string& one = runs[random.next_below(static_cast<uint32_t>(runs.size()))];
      for (uint32_t k = random.next_below(150); k > 0; --k) text += one;
    }
    ASSERT_NO_FATAL_FAILURE(expect_same(text));
  }
}

TEST_P(Scanner, cuts_source_code_like_the_expression) {
  std::ifstream in(XCORE_SOURCE_DIR "/src/tokenizer/pretokenize/pretokenize_cpu.cpp", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(text.size(), 4000u);
  expect_same(text);
}

TEST_P(Scanner, a_text_may_be_cut_before_a_letter_after_a_line) {
  xcore::Philox random(31, static_cast<uint64_t>(pattern()));
  int cuts = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string parts[2];
    for (std::string& part : parts) {
      for (uint32_t n = random.next_below(12); n > 0; --n) part += kAlphabet[random.next_below(static_cast<uint32_t>(kAlphabet.size()))];
    }
    parts[0] += '\n';
    const std::string text = parts[0] + parts[1];
    const uint8_t* const begin = bytes_of(text);
    if (!safe_cut(begin, begin + parts[0].size(), begin + text.size())) continue;
    ++cuts;
    Ends expected = one_by_one(pattern(), parts[0]);
    for (const uint32_t e : one_by_one(pattern(), parts[1])) expected.push_back(e + static_cast<uint32_t>(parts[0].size()));
    ASSERT_EQ(one_by_one(pattern(), text), expected) << ::testing::PrintToString(text);
  }
  EXPECT_GT(cuts, 300);
}

INSTANTIATE_TEST_SUITE_P(PatternsAndLevels, Scanner,
                         ::testing::Combine(::testing::Values(Pattern::gpt2, Pattern::cl100k, Pattern::cl100k_end, Pattern::qwen2,
                                                              Pattern::qwen35, Pattern::o200k, Pattern::tekken),
                                            ::testing::Values(0, 1, 2)));
