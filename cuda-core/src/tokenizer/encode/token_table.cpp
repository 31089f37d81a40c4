#include "tokenizer/encode/token_table.hpp"

#include <algorithm>

#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

std::vector<bool> reached_symbols(const PairTable& pairs, const MergeTables& tables) {
  if (!tables.packed() || !tables.monotone()) return {};
  uint32_t symbols = 0, ranks = 0;
  pairs.each([&](const PairTable::Entry& e) {
    symbols = std::max({symbols, e.left + 1, e.right + 1, e.joined + 1});
    ranks = std::max(ranks, e.rank + 1);
  });
  // Sorted by counting: a rank is below 2^24, and few are missing or come twice.
  std::vector<uint32_t> begin(ranks + 1, 0);
  pairs.each([&](const PairTable::Entry& e) { ++begin[e.rank + 1]; });
  for (uint32_t r = 0; r < ranks; ++r) begin[r + 1] += begin[r];
  std::vector<PairTable::Entry> by_rank(pairs.size());
  pairs.each([&](const PairTable::Entry& e) { by_rank[begin[e.rank]++] = e; });
  // Symbols that no pair makes are what merging starts from.
  struct Origin {
    uint32_t left, right;
    uint32_t time;  // rank + 1 of the merge that makes it; 0: there from the start
  };
  constexpr uint32_t kNever = 0xffffffffu;
  std::vector<Origin> origin(symbols, Origin{0, 0, 0});
  for (const auto& e : by_rank) origin[e.joined].time = kNever;
  const auto holds = [&](const PairTable::Entry& e) {
    uint32_t x = e.left, y = e.right;
    uint32_t left_until = e.rank + 1, right_until = e.rank + 1;  // when x and y are merged with others
    for (;;) {
      const uint32_t tx = origin[x].time, ty = origin[y].time;
      if (tx == 0 && ty == 0) return true;
      // Back to before the younger of the two was made.
      if (tx >= ty) {
        left_until = tx;
        x = origin[x].right;
      } else {
        right_until = ty;
        y = origin[y].left;
      }
      const uint32_t rank = tables.rank(x, y);
      // At equal ranks the left one of two overlapping pairs wins.
      if (rank != kNoRank && rank + 1 < left_until && rank + 1 <= right_until) return false;
    }
  };
  for (const auto& e : by_rank) {
    if (origin[e.joined].time != kNever || origin[e.left].time == kNever || origin[e.right].time == kNever) continue;
    if (holds(e)) origin[e.joined] = {e.left, e.right, e.rank + 1};
  }
  std::vector<bool> reached(symbols);
  for (uint32_t s = 0; s < symbols; ++s) reached[s] = origin[s].time != kNever;
  return reached;
}

TokenTable::TokenTable(const Model& model, const StringTable& contents, const std::vector<bool>& whole) {
  const auto size = static_cast<uint32_t>(contents.size());
  const auto fits = [&](uint32_t id) {
    return model.model_token[id] && id < whole.size() && whole[id] && !contents[id].empty() &&
           contents[id].size() <= PieceKey::kMaxBytes;
  };
  size_t count = 0;
  for (uint32_t id = 0; id < size; ++id) count += fits(id);
  size_t capacity = 64;
  while (capacity < count * 2) capacity *= 2;
  slots_ = Flat<Slot>(capacity, Slot{0, kNoId});
  keys_ = Flat<PieceKey>(size, PieceKey{0, 0});
  mask_ = capacity - 1;
  shift_ = 64 - __builtin_ctzll(capacity);
  for (uint32_t id = 0; id < size; ++id) {
    if (!fits(id)) continue;
    const auto* bytes = reinterpret_cast<const uint8_t*>(contents[id].data());
    const PieceKey key = PieceKey::load_exactly(bytes, contents[id].size());
    const uint64_t hash = key.hash();
    keys_.writable()[id] = key;
    size_t i = hash >> shift_;
    while (slots_[i].id != kNoId) i = (i + 1) & mask_;
    slots_.writable()[i] = {static_cast<uint32_t>(hash), id};
  }
}

}  // namespace xcore::tokenizer
