#include "tokenizer/encode/piece_memo.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "runtime/philox.hpp"
#include "tokenizer/encode/ids_memory.hpp"
#include "tokenizer/encode/ordered_ids.hpp"

using namespace xcore;
using namespace xcore::tokenizer;

namespace {

// What piece number n is encoded to, by definition of these tests.
std::vector<uint32_t> ids_of(uint32_t n, size_t size) {
  std::vector<uint32_t> ids(n % (size + 1));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = n * 31 + static_cast<uint32_t>(i);
  return ids;
}

// No two are equal; about a third have no key.
std::string piece(uint32_t n) { return std::to_string(n) + std::string(n % 17, static_cast<char>('a' + n % 26)); }

// Asks for a piece, checks what comes, and adds it when it is not known. Returns whether it was.
bool visit(PieceMemo::View& view, uint32_t n) {
  const std::string p = piece(n);
  const auto* const bytes = reinterpret_cast<const uint8_t*>(p.data());
  uint32_t got[64];
  const std::vector<uint32_t> expected = ids_of(n, p.size());
  view.refresh();
  size_t count;
  if (p.size() <= PieceKey::kMaxBytes) {
    const PieceKey key = PieceKey::load_exactly(bytes, p.size());
    count = view.find(key, key.hash(), got);
    if (count == PieceMemo::kUnknown) view.insert(key, key.hash(), expected.data(), expected.size());
  } else {
    const uint64_t hash = PieceMemo::View::hash(bytes, p.size());
    count = view.find_long(bytes, p.size(), hash, got);
    if (count == PieceMemo::kUnknown) view.insert_long(bytes, p.size(), hash, expected.data(), expected.size());
  }
  if (count == PieceMemo::kUnknown) return false;
  EXPECT_EQ(std::vector<uint32_t>(got, got + count), expected) << "piece " << n;
  return true;
}

}  // namespace

TEST(PieceMemo, says_of_most_hashes_that_they_come_for_the_first_time_until_it_is_cleared) {
  PieceMemo memo(size_t{64} << 20);
  PieceMemo::View view(memo);
  const auto hash = [](uint32_t n) { return PieceMemo::View::hash(reinterpret_cast<const uint8_t*>(&n), sizeof n); };
  size_t wrong = 0;
  for (uint32_t n = 0; n < 10000; ++n) wrong += !view.first_seen(hash(n));
  EXPECT_LT(wrong, 500u);
  for (uint32_t n = 0; n < 10000; ++n) EXPECT_FALSE(view.first_seen(hash(n)));
  for (uint32_t n = 0; n < 5000; ++n) visit(view, n);  // tables grow meanwhile
  for (uint32_t n = 0; n < 10000; ++n) EXPECT_FALSE(view.first_seen(hash(n)));
  // It does not fill up: of new ones it goes on to say so.
  wrong = 0;
  for (uint32_t n = 10000; n < 1000000; ++n) wrong += !view.first_seen(hash(n));
  EXPECT_LT(wrong, 400000u);
  memo.clear();
  view.refresh();
  EXPECT_TRUE(view.first_seen(hash(1)));
}

TEST(PieceMemo, remembers_all_pieces_while_there_is_room) {
  PieceMemo memo(size_t{64} << 20);
  PieceMemo::View view(memo);
  size_t known = 0;
  for (uint32_t n = 0; n < 30000; ++n) EXPECT_FALSE(visit(view, n)) << n;
  for (uint32_t n = 0; n < 30000; ++n) known += visit(view, n);
  EXPECT_GT(known, 29800u);  // a crowded place may refuse a few
  view = {};
  EXPECT_GT(memo.stats().entries, 29800u);
  memo.clear();
  EXPECT_EQ(memo.stats().entries, 0u);
}

TEST(PieceMemo, stays_within_its_limit_and_keeps_what_is_asked_for_again_and_again) {
  constexpr size_t kLimit = size_t{2} << 20;
  PieceMemo memo(kLimit);
  PieceMemo::View view(memo);
  size_t known = 0, asked = 0;
  for (uint32_t n = 0; n < 300000; ++n) {
    visit(view, 1000 + n);
    if (n % 10 == 0 && n > 10000) {
      known += visit(view, n / 10 % 500);
      ++asked;
    }
    if (n % 5000 == 0) {
      EXPECT_LE(memo.stats().bytes, kLimit);
    }
  }
  EXPECT_GT(known, asked * 9 / 10);
}

TEST(PieceMemo, threads_that_learn_at_once_never_read_what_another_has_not_finished) {
  for (const size_t limit : {size_t{300000}, size_t{8} << 20}) {  // the first turns over all the time
    PieceMemo memo(limit);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&memo, t] {
        Philox random(40 + t);
        PieceMemo::View view(memo);
        for (int i = 0; i < 60000; ++i) {
          visit(view, random.next_below(20000));
          if (t == 0 && i % 20000 == 19999) memo.clear();
        }
      });
    }
    for (auto& t : threads) t.join();
    EXPECT_LE(memo.stats().bytes, std::max<size_t>(limit, 600000));  // the smallest tables are larger than the first limit
  }
}

TEST(OrderedIds, parts_that_end_in_any_order_stand_in_their_own) {
  Philox random(5);
  for (const size_t capacity : {size_t{1} << 20, size_t{1000}, size_t{0}}) {
    std::vector<uint32_t> out(capacity + 1, 77);
    constexpr size_t kParts = 300;
    OrderedIds ids(kParts, out.data(), capacity);
    std::vector<size_t> sizes(kParts);
    size_t total = 0;
    for (size_t& s : sizes) total += s = random.next_below(50);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = 0; i < kParts; ++i) {
          const size_t part = (i / 12 * 12) + (11 - i % 12);  // backwards by twelve
          if (part % 3 != t) continue;
          auto buffer = ids.buffer(64);
          std::fill_n(buffer.ids.get(), sizes[part], static_cast<uint32_t>(part));
          ids.end(part, std::move(buffer), sizes[part]);
        }
      });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(ids.total(), total);
    size_t at = 0;
    for (size_t part = 0; part < kParts; ++part) {
      for (size_t k = 0; k < sizes[part] && at < capacity; ++k, ++at) ASSERT_EQ(out[at], part);
    }
    EXPECT_EQ(out[capacity], 77u);
  }
}

TEST(IdsMemory, a_large_block_is_used_again_and_a_small_one_shrinks) {
  constexpr size_t kLarge = size_t{10} << 20;
  uint32_t* const first = reserve_ids(kLarge);
  first[kLarge - 1] = 1;
  EXPECT_EQ(shrink_ids(first, 10), first);
  uint32_t* const second = reserve_ids(kLarge);
  EXPECT_NE(first, second);
  release_ids(first);
  EXPECT_EQ(reserve_ids(kLarge / 2 + (4 << 20)), first);
  release_ids(second);
  release_ids(first);
  uint32_t* small = shrink_ids(reserve_ids(1000), 3);
  small[2] = 5;
  release_ids(small);
  release_ids(nullptr);
}
