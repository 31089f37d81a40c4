#include <algorithm>

#include "tokenizer/merge/merge.hpp"

namespace xcore::tokenizer {

size_t merge_ref(const PairTable& pairs, uint32_t* ids, size_t count) {
  for (;;) {
    PairTable::Entry best{0, 0, kNoRank, 0};
    size_t at = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      const auto& e = pairs.find(ids[i], ids[i + 1]);
      if (e.rank < best.rank) {
        best = e;
        at = i;
      }
    }
    if (best.rank == kNoRank) return count;
    ids[at] = best.joined;
    std::copy(ids + at + 2, ids + count, ids + at + 1);
    --count;
  }
}

}  // namespace xcore::tokenizer
