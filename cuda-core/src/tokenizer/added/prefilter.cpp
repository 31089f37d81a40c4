#include "tokenizer/added/prefilter.hpp"

#include "runtime/cpu_features.hpp"

namespace xcore::tokenizer {

void Prefilter::add(std::string_view token, uint32_t bucket) {
  const auto bit = static_cast<uint8_t>(1u << (bucket & 7));
  const auto mark = [&](int position, uint8_t byte) {
    low[position][byte & 15] |= bit;
    high[position][byte >> 4] |= bit;
  };
  mark(0, static_cast<uint8_t>(token[0]));
  if (token.size() > 1) {
    mark(1, static_cast<uint8_t>(token[1]));
  } else {
    for (int nibble = 0; nibble < 16; ++nibble) {
      low[1][nibble] |= bit;
      high[1][nibble] |= bit;
    }
  }
}

const uint8_t* next_candidate(const Prefilter& filter, const uint8_t* at, const uint8_t* end) {
#if defined(__x86_64__)
  static const bool avx2 = cpu_features().avx2 && cpu_features().level >= CpuLevel::avx2;
  if (avx2) at = next_candidate_avx2(filter, at, end);
#endif
  for (; at < end; ++at) {
    if (at + 1 == end) return (filter.low[0][*at & 15] & filter.high[0][*at >> 4]) != 0 ? at : end;
    if (filter.passes(at[0], at[1])) return at;
  }
  return end;
}

}  // namespace xcore::tokenizer
