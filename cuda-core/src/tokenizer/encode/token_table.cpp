#include "tokenizer/encode/token_table.hpp"

#include <algorithm>

#include "runtime/thread_pool.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

namespace {

// How a symbol comes about. Symbols that no pair makes are what merging starts from.
struct Origin {
  uint32_t left, right;
  uint32_t time;  // rank + 1 of the merge that makes it; 0: there from the start
};
constexpr uint32_t kNever = 0xffffffffu;

// Whether merging makes e.joined of its content by e, if it makes e.left and e.right of theirs by their origins.
bool holds(const PairTable::Entry& e, const Large<Origin>& origin, const MergeTables& tables) {
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
}

}  // namespace

// What takes time is `holds`. So it is asked beforehand, by all threads, under the assumption that each symbol comes of the first
// pair that makes it; the assumption is dropped for symbols where it turns out to be wrong, and for those made of them.
std::vector<bool> reached_symbols(const Large<PairTable::Entry>& pairs, const MergeTables& tables, const std::vector<bool>& starts) {
  if (!tables.packed() || !tables.monotone()) return {};
  uint32_t symbols = 0;
  for (const auto& e : pairs) symbols = std::max({symbols, e.left + 1, e.right + 1, e.joined + 1});
  Large<Origin> assumed(symbols, Origin{0, 0, 0});
  Large<uint8_t> first(pairs.size()), does(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& e = pairs[i];
    first[i] = assumed[e.joined].time == 0;
    if (first[i]) assumed[e.joined] = {e.left, e.right, e.rank + 1};
  }
  thread_pool().parallel_for(static_cast<int64_t>(pairs.size()), 4096, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) does[i] = first[i] && holds(pairs[i], assumed, tables);
  });
  Large<Origin> origin(symbols, Origin{0, 0, 0});
  Large<uint8_t> other(symbols, 0);  // comes about in another way than was assumed
  for (uint32_t s = 0; s < symbols; ++s) {
    if (!starts.empty() && !(s < starts.size() && starts[s])) origin[s].time = kNever;
  }
  for (const auto& e : pairs) origin[e.joined].time = kNever;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& e = pairs[i];
    if (origin[e.joined].time != kNever || origin[e.left].time == kNever || origin[e.right].time == kNever) continue;
    const bool as_assumed = first[i] && !other[e.left] && !other[e.right];
    if (!(as_assumed ? does[i] != 0 : holds(e, origin, tables))) continue;
    origin[e.joined] = {e.left, e.right, e.rank + 1};
    other[e.joined] = !as_assumed;
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
  if (count == 0) return;
  lines_ = Flat<Line>::zeroed(count * 5 / (3 * kKeys) + 1);  // three fifths full
  Line* const lines = lines_.writable();
  // Where a token goes is asked for some tokens beforehand.
  constexpr size_t kTogether = 16;
  struct {
    PieceKey key;
    size_t line;
    uint32_t id;
  } held[kTogether];
  size_t n = 0;
  const auto put = [&] {
    for (size_t h = 0; h < n; ++h) {
      for (size_t i = held[h].line;; i = i + 1 < lines_.size() ? i + 1 : 0) {
        size_t k = 0;
        while (k < kKeys && lines[i].keys[k].high != 0) ++k;
        if (k < kKeys) {
          lines[i].keys[k] = held[h].key;
          lines[i].ids[k] = held[h].id;
          break;
        }
        lines[i].more = 1;
      }
    }
    n = 0;
  };
  for (uint32_t id = 0; id < size; ++id) {
    if (!fits(id)) continue;
    const PieceKey key = PieceKey::load_exactly(bytes_of(contents[id]), contents[id].size());
    held[n] = {key, place(key.hash()), id};
    __builtin_prefetch(lines + held[n].line, 1);
    if (++n == kTogether) put();
  }
  put();
}

}  // namespace xcore::tokenizer
