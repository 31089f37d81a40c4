#include <immintrin.h>

#include "tokenizer/pretokenize/scan_block.hpp"

namespace xcore::tokenizer {
namespace {

using block::Classes;

struct Avx2 {
  struct Pair {
    __m256i low, high;
  };
  template <class F>
  static uint64_t mask(const Pair& v, F&& f) {
    const auto low = static_cast<uint32_t>(_mm256_movemask_epi8(f(v.low)));
    const auto high = static_cast<uint32_t>(_mm256_movemask_epi8(f(v.high)));
    return static_cast<uint64_t>(high) << 32 | low;
  }
  // Signed comparisons: bytes beyond ASCII are negative and in no range.
  static uint64_t range(const Pair& v, char first, char last) {
    const __m256i a = _mm256_set1_epi8(static_cast<char>(first - 1)), b = _mm256_set1_epi8(static_cast<char>(last + 1));
    return mask(v, [&](__m256i x) { return _mm256_and_si256(_mm256_cmpgt_epi8(x, a), _mm256_cmpgt_epi8(b, x)); });
  }
  static uint64_t equal(const Pair& v, char c) {
    return mask(v, [&](__m256i x) { return _mm256_cmpeq_epi8(x, _mm256_set1_epi8(c)); });
  }
  static Classes classify(const uint8_t* p) {
    const Pair v = {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
    Classes c;
    c.upper = range(v, 'A', 'Z');
    c.lower = range(v, 'a', 'z');
    c.number = range(v, '0', '9');
    c.blank = equal(v, ' ');
    c.space = c.blank | range(v, 9, 13);
    c.newline = equal(v, '\n') | equal(v, '\r');
    c.apostrophe = equal(v, '\'');
    c.slash = equal(v, '/');
    c.non_ascii = mask(v, [](__m256i x) { return x; });
    return c;
  }
  template <Pattern>
  static uint64_t widen(const uint8_t*, block::Block&) {
    return 0;
  }
  static size_t flatten(uint64_t bits, uint32_t base, uint32_t* out) {
    const auto n = static_cast<size_t>(__builtin_popcountll(bits));
    // Eight at a time without looking how many are left; what is too much is overwritten later.
    for (size_t i = 0; i < n; i += 8) {
      for (size_t k = 0; k < 8; ++k) {
        out[i + k] = base + static_cast<uint32_t>(block::lowest(bits | uint64_t{1} << 63));
        bits &= bits - 1;
      }
    }
    return n;
  }
};

}  // namespace

Scan scanner_avx2(Pattern pattern) { return block::choose<Avx2>(pattern); }

}  // namespace xcore::tokenizer
