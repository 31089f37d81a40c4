#include "tokenizer/load/merges.hpp"

namespace xcore::tokenizer {

bool MergeReader::flush() {
  const StringIndex& index = model_.by_content;
  const StringTable& tokens = model_.tokens;
  const size_t count = count_;
  count_ = 0;
  const auto each = [&](auto&& use) {
    for (size_t i = 0; i < count; ++i) {
      for (int k = 0; k < 3; ++k) use(merges_[i], k);
    }
  };
  each([&](Merge& m, int k) { index.prefetch(m.hashes[k] = hash_bytes(m.parts[k])); });
  each([&](Merge& m, int k) {
    m.ids[k] = index.likely(m.hashes[k]);
    if (m.ids[k] != kNoId) tokens.prefetch_place(m.ids[k]);
  });
  each([&](Merge& m, int k) {
    if (m.ids[k] != kNoId) tokens.prefetch_text(m.ids[k]);
  });
  for (size_t i = 0; i < count; ++i) {
    Merge& m = merges_[i];
    for (int k = 0; k < 3; ++k) {
      m.ids[k] = index.find(tokens, m.parts[k], m.hashes[k]);
      if (m.ids[k] != kNoId) continue;
      message_ = "'" + std::string(m.parts[k].substr(0, 80)) + "' is not in the vocabulary";
      rank_ = m.rank;
      return false;
    }
    out_[m.rank] = {m.ids[0], m.ids[1], m.rank, m.ids[2]};
  }
  return true;
}

}  // namespace xcore::tokenizer
