#include <immintrin.h>

#include "tokenizer/added/prefilter.hpp"

namespace xcore::tokenizer {

const uint8_t* next_candidate_avx2(const Prefilter& filter, const uint8_t* at, const uint8_t* end) {
  const auto table = [](const uint8_t* nibbles) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(nibbles)));
  };
  const __m256i low0 = table(filter.low[0]), high0 = table(filter.high[0]);
  const __m256i low1 = table(filter.low[1]), high1 = table(filter.high[1]);
  const __m256i nibble = _mm256_set1_epi8(15);
  for (; end - at > 32; at += 32) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 1));
    const auto buckets = [&](__m256i bytes, __m256i low, __m256i high) {
      return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble)),
                              _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)));
    };
    const __m256i both = _mm256_and_si256(buckets(first, low0, high0), buckets(second, low1, high1));
    const auto none = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(both, _mm256_setzero_si256())));
    if (none != 0xffffffffu) return at + __builtin_ctz(~none);
  }
  return at;
}

}  // namespace xcore::tokenizer
