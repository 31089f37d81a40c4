#include <immintrin.h>

#include <array>

#include "tokenizer/pretokenize/scan_block.hpp"

namespace xcore::tokenizer {
namespace {

using block::Classes;

enum Bit : uint8_t { kLowerBit = 1, kUpperBit = 2, kDigitBit = 4, kSpaceBit = 8, kLineBit = 16, kBlankBit = 32, kQuoteBit = 64, kSlashBit = 128 };

constexpr std::array<uint8_t, 128> class_bits() {
  std::array<uint8_t, 128> t{};
  for (int c = 'a'; c <= 'z'; ++c) t[static_cast<size_t>(c)] = kLowerBit;
  for (int c = 'A'; c <= 'Z'; ++c) t[static_cast<size_t>(c)] = kUpperBit;
  for (int c = '0'; c <= '9'; ++c) t[static_cast<size_t>(c)] = kDigitBit;
  for (int c = 9; c <= 13; ++c) t[static_cast<size_t>(c)] = kSpaceBit;
  t['\n'] = t['\r'] = kSpaceBit | kLineBit;
  t[' '] = kSpaceBit | kBlankBit;
  t['\''] = kQuoteBit;
  t['/'] = kSlashBit;
  return t;
}
alignas(64) constexpr std::array<uint8_t, 128> kClassBits = class_bits();
alignas(64) constexpr std::array<uint8_t, 64> kPositions = []() constexpr {
  std::array<uint8_t, 64> t{};
  for (size_t i = 0; i < 64; ++i) t[i] = static_cast<uint8_t>(i);
  return t;
}();

struct Avx512 {
  static Classes classify(const uint8_t* p) {
    const __m512i v = _mm512_loadu_si512(p);
    const __mmask64 high = _mm512_movepi8_mask(v);
    // One lookup of 7 bits gives all classes of a byte.
    const __m512i k = _mm512_maskz_permutex2var_epi8(~high, _mm512_load_si512(kClassBits.data()), v,
                                                     _mm512_load_si512(kClassBits.data() + 64));
    const auto test = [&](uint8_t bit) { return _mm512_test_epi8_mask(k, _mm512_set1_epi8(static_cast<char>(bit))); };
    return {test(kUpperBit), test(kLowerBit), test(kDigitBit), test(kSpaceBit), test(kLineBit),
            test(kBlankBit), test(kQuoteBit), test(kSlashBit), high};
  }
  static size_t flatten(uint64_t bits, uint32_t base, uint32_t* out) {
    const auto n = static_cast<size_t>(__builtin_popcountll(bits));
    const __m512i positions = _mm512_maskz_compress_epi8(bits, _mm512_load_si512(kPositions.data()));
    const __m512i offset = _mm512_set1_epi32(static_cast<int>(base));
    const auto store = [&](size_t i, __m128i bytes) {
      _mm512_storeu_si512(out + i, _mm512_add_epi32(offset, _mm512_maskz_cvtepu8_epi32(0xffff, bytes)));
    };
    store(0, _mm512_castsi512_si128(positions));
    if (n > 16) {
      store(16, _mm512_maskz_extracti32x4_epi32(0xf, positions, 1));
      if (n > 32) {
        store(32, _mm512_maskz_extracti32x4_epi32(0xf, positions, 2));
        store(48, _mm512_maskz_extracti32x4_epi32(0xf, positions, 3));
      }
    }
    return n;
  }
};

}  // namespace

Scan scanner_avx512(Pattern pattern) { return block::choose<Avx512>(pattern); }

}  // namespace xcore::tokenizer
