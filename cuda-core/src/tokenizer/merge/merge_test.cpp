#include "tokenizer/merge/merge.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "runtime/philox.hpp"

using namespace xcore;
using namespace xcore::tokenizer;

TEST(Merge, agrees_with_the_definition_on_random_tables) {
  Philox random(3);
  MergeScratch scratch;
  for (int round = 0; round < 600; ++round) {
    PairTable pairs;
    const uint32_t symbols = 2 + random.next_below(4);
    // Half the rounds with few ranks, so that ties are decided by position.
    const uint32_t ranks = round % 2 ? 3 : 100000;
    for (uint32_t i = 0; i < 60; ++i) {
      pairs.insert(random.next_below(symbols + i), random.next_below(symbols + i), random.next_below(ranks), symbols + i);
    }
    std::vector<uint32_t> ids(1 + random.next_below(round % 3 ? 31 : 300));
    for (uint32_t& id : ids) id = random.next_below(symbols);
    std::vector<uint32_t> expected = ids;
    expected.resize(merge_ref(pairs, expected.data(), expected.size()));
    ids.resize(merge(pairs, ids.data(), ids.size(), scratch));
    ASSERT_EQ(ids, expected) << "round " << round;
  }
}

// A quadratic merge would need hours for this.
TEST(Merge, a_long_run_of_one_symbol_is_merged_in_about_linear_time) {
  PairTable pairs;
  for (uint32_t i = 0; i < 7; ++i) pairs.insert(i, i, i, i + 1);
  std::vector<uint32_t> ids(4000003, 0);
  MergeScratch scratch;
  const size_t count = merge(pairs, ids.data(), ids.size(), scratch);
  ASSERT_EQ(count, 4000000u / 128 + 2);  // 4,000,003 = 31,250 * 128 + 3
  EXPECT_EQ(ids[0], 7u);
  EXPECT_EQ(ids[count - 2], 1u);
  EXPECT_EQ(ids[count - 1], 0u);
}

TEST(PairTable, keeps_the_first_of_equal_pairs_and_grows) {
  PairTable pairs;
  EXPECT_EQ(pairs.find(1, 2).rank, kNoRank);
  EXPECT_TRUE(pairs.insert(1, 2, 5, 9));
  EXPECT_FALSE(pairs.insert(1, 2, 4, 8));
  for (uint32_t i = 0; i < 5000; ++i) EXPECT_TRUE(pairs.insert(i, i + 100, i, i + 7));
  EXPECT_EQ(pairs.find(1, 2).joined, 9u);
  EXPECT_EQ(pairs.find(4999, 5099).joined, 5006u);
  EXPECT_EQ(pairs.find(5000, 5100).rank, kNoRank);
  EXPECT_EQ(pairs.size(), 5001u);
}
