#include "tokenizer/merge/merge.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "runtime/philox.hpp"
#include "tokenizer/merge/merge_tables.hpp"

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

TEST(MergeTables, agree_with_the_definition_on_random_tables) {
  Philox random(4);
  MergeScratch scratch;
  size_t monotone_like = 0;
  for (int round = 0; round < 1500; ++round) {
    PairTable pairs;
    const uint32_t symbols = 2 + random.next_below(4);
    // Two thirds of the rounds as training makes them: later pairs of earlier symbols. The others in any order.
    const bool trained = round % 3 != 0;
    uint32_t rank = 0;
    for (uint32_t i = 0; i < 60; ++i) {
      rank = trained ? rank + 1 + random.next_below(3) : random.next_below(1u << 20);
      pairs.insert(random.next_below(symbols + i), random.next_below(symbols + i), rank, symbols + i);
    }
    monotone_like += trained;
    const MergeTables tables(pairs, nullptr);
    if (!trained && !tables.packed()) continue;  // a rank came twice
    ASSERT_TRUE(tables.packed());
    constexpr uint32_t kSizes[] = {16, 32, 300};
    std::vector<uint32_t> ids(1 + random.next_below(kSizes[round % 4 % 3]));
    for (uint32_t& id : ids) id = random.next_below(symbols);
    std::vector<uint32_t> expected = ids;
    expected.resize(merge_ref(pairs, expected.data(), expected.size()));
    ids.resize(tables.merge(ids.data(), ids.size(), scratch));
    ASSERT_EQ(ids, expected) << "round " << round;
  }
  EXPECT_GT(monotone_like, 900u);
}

// Tables in which a merge makes pairs of lower and of equal rank, in cascades and in circles, as no training makes them.
TEST(MergeTables, pairs_that_a_merge_makes_below_its_own_rank_are_next) {
  Philox random(21);
  MergeScratch scratch;
  size_t crooked = 0;
  for (int round = 0; round < 40000; ++round) {
    const uint32_t symbols = 1 + random.next_below(4), joined = 1 + random.next_below(10);
    std::vector<uint32_t> ranks(joined);
    std::iota(ranks.begin(), ranks.end(), 0u);
    for (uint32_t i = joined; i > 1; --i) std::swap(ranks[i - 1], ranks[random.next_below(i)]);
    PairTable pairs;
    const uint32_t all = symbols + joined;
    for (uint32_t j = 0; j < joined; ++j) {
      const uint32_t makes = random.next_below(8) ? symbols + j : random.next_below(all);
      for (uint32_t ways = 1 + random.next_below(3); ways > 0; --ways) {
        pairs.insert(random.next_below(all), random.next_below(all), ranks[j], makes);
      }
    }
    const MergeTables tables(pairs, nullptr);
    if (!tables.packed()) continue;  // every pair was there already
    crooked += !tables.monotone();
    for (int text = 0; text < 10; ++text) {
      std::vector<uint32_t> ids(1 + random.next_below(text == 0 ? 80 : 20));
      for (uint32_t& id : ids) id = random.next_below(random.next_below(4) ? symbols : all);
      std::vector<uint32_t> expected = ids, any = ids;
      const std::vector<uint32_t> ids_before = ids;
      expected.resize(merge_ref(pairs, expected.data(), expected.size()));
      ids.resize(tables.merge_long(ids.data(), ids.size(), scratch));
      ASSERT_EQ(ids, expected) << "round " << round;
      std::vector<MergeJob> jobs(ids_before.size() >= 2 && ids_before.size() <= MergeJob::kMost ? 1 + random.next_below(3) : 0);
      for (MergeJob& job : jobs) {
        std::copy(ids_before.begin(), ids_before.end(), job.symbols);
        for (size_t i = 0; i + 1 < ids_before.size(); ++i) job.ranks[i] = tables.rank(ids_before[i], ids_before[i + 1]);
        job.count = static_cast<uint32_t>(ids_before.size());
      }
      tables.merge_many(jobs.data(), jobs.size());
      for (const MergeJob& job : jobs) ASSERT_EQ(std::vector<uint32_t>(job.symbols, job.symbols + job.count), expected) << "round " << round;
      any.resize(tables.merge(any.data(), any.size(), scratch));
      ASSERT_EQ(any, expected) << "round " << round;
    }
  }
  EXPECT_GT(crooked, 20000u);
}

// More of them than run at once, of all lengths: those that are done make room for others.
TEST(MergeTables, merge_many_sequences_of_all_lengths_as_each_alone) {
  Philox random(23);
  for (int round = 0; round < 60; ++round) {
    PairTable pairs;
    const uint32_t symbols = 2 + random.next_below(6);
    for (uint32_t i = 0; i < 200; ++i) pairs.insert(random.next_below(symbols + i), random.next_below(symbols + i), i, symbols + i);
    const MergeTables tables(pairs, nullptr);
    ASSERT_TRUE(tables.packed());
    std::vector<MergeJob> jobs(random.next_below(200));
    std::vector<std::vector<uint32_t>> expected(jobs.size());
    for (size_t j = 0; j < jobs.size(); ++j) {
      std::vector<uint32_t>& ids = expected[j];
      ids.resize(2 + random.next_below(MergeJob::kMost - 1));
      for (uint32_t& id : ids) id = random.next_below(symbols);
      std::copy(ids.begin(), ids.end(), jobs[j].symbols);
      for (size_t i = 0; i + 1 < ids.size(); ++i) jobs[j].ranks[i] = tables.rank(ids[i], ids[i + 1]);
      jobs[j].count = static_cast<uint32_t>(ids.size());
      ids.resize(merge_ref(pairs, ids.data(), ids.size()));
    }
    tables.merge_many(jobs.data(), jobs.size());
    for (size_t j = 0; j < jobs.size(); ++j) {
      ASSERT_EQ(std::vector<uint32_t>(jobs[j].symbols, jobs[j].symbols + jobs[j].count), expected[j]) << "round " << round << " job " << j;
    }
  }
}

TEST(MergeTables, equal_ranks_of_one_joined_symbol_are_taken_from_the_left) {
  // As in rank files: "abc" comes of a + bc and of ab + c alike.
  PairTable pairs;
  pairs.insert(0, 1, 0, 3);  // ab
  pairs.insert(1, 2, 1, 4);  // bc
  pairs.insert(0, 4, 2, 5);
  pairs.insert(3, 2, 2, 5);
  pairs.insert(5, 5, 3, 6);
  const MergeTables tables(pairs, nullptr);
  ASSERT_TRUE(tables.packed());
  MergeScratch scratch;
  Philox random(9);
  for (int round = 0; round < 400; ++round) {
    std::vector<uint32_t> ids(1 + random.next_below(80));
    for (uint32_t& id : ids) id = random.next_below(3);
    std::vector<uint32_t> expected = ids;
    expected.resize(merge_ref(pairs, expected.data(), expected.size()));
    ids.resize(tables.merge(ids.data(), ids.size(), scratch));
    ASSERT_EQ(ids, expected) << "round " << round;
  }
}

TEST(MergeTables, the_largest_symbols_are_absent_pairs_not_free_slots) {
  PairTable pairs;
  pairs.insert(0, 1, 0, 2);
  const MergeTables tables(pairs, nullptr);
  const uint32_t last = MergeTables::kMaxSymbols - 1;
  EXPECT_EQ(tables.rank(last, last), kNoRank);
  EXPECT_EQ(tables.rank(last, 0), kNoRank);
  EXPECT_EQ(tables.rank(0, last), kNoRank);
  EXPECT_EQ(tables.rank(0, 1), 0u);
}

TEST(MergeTables, refuse_what_does_not_fit) {
  PairTable one_rank_two_symbols;
  one_rank_two_symbols.insert(0, 1, 5, 2);
  one_rank_two_symbols.insert(1, 0, 5, 3);
  EXPECT_FALSE(MergeTables(one_rank_two_symbols, nullptr).packed());
  PairTable large;
  large.insert(0, 1u << 20, 5, 2);
  EXPECT_FALSE(MergeTables(large, nullptr).packed());
  EXPECT_FALSE(MergeTables(PairTable(), nullptr).packed());
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

TEST(MergeTables, a_long_run_is_merged_in_about_linear_time_when_ranks_fall_as_well) {
  // 8 = 4 + 4 comes before the pairs that its halves come from, as in vocabularies that were pruned or joined.
  PairTable pairs;
  const uint32_t ranks[] = {6, 5, 0, 3, 4, 2, 1};
  for (uint32_t i = 0; i < 7; ++i) pairs.insert(i, i, ranks[i], i + 1);
  const MergeTables tables(pairs, nullptr);
  ASSERT_TRUE(tables.packed());
  ASSERT_FALSE(tables.monotone());
  MergeScratch scratch;
  std::vector<uint32_t> few(203, 0), expected = few, ids(4000003, 0);
  expected.resize(merge_ref(pairs, expected.data(), expected.size()));
  few.resize(tables.merge(few.data(), few.size(), scratch));
  EXPECT_EQ(few, expected);
  const size_t count = tables.merge(ids.data(), ids.size(), scratch);
  ASSERT_EQ(count, 4000000u / 128 + 2);
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
