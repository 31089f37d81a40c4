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

// Classes of two-byte characters, and of the three-byte rows of 64 that are letters without case throughout (most of
// Chinese, Japanese and Korean), as bitmaps that registers hold: byte `last` of table `high` has bit `low` for the
// character whose first byte is high * 8 + low (of 0xc0 or 0xe0 on) and whose second byte ends in `last`.
struct WideTables {
  alignas(64) uint8_t letter[4][64] = {}, upper[4][64] = {}, lower[4][64] = {}, odd[4][64] = {};
  alignas(64) uint8_t row[2][64] = {};

  static const WideTables& get() {
    static const WideTables tables;
    return tables;
  }

 private:
  WideTables() {
    const ClassTable& classes = ClassTable::get();
    for (uint32_t c = 0x80; c < 0x800; ++c) {
      const uint8_t kind = classes[c];
      const uint32_t first = c >> 6;  // less 0xc0
      const auto bit = static_cast<uint8_t>(1u << (first & 7));
      if (kind & kLetter) letter[first >> 3][c & 63] |= bit;
      if (kind & kUpper) upper[first >> 3][c & 63] |= bit;
      if (kind & kLower) lower[first >> 3][c & 63] |= bit;
      if (kind & (kNumber | kSpace | kMark)) odd[first >> 3][c & 63] |= bit;
    }
    for (uint32_t r = 0x800 >> 6; r < 0x10000 >> 6; ++r) {
      bool all = true;
      for (uint32_t c = r << 6; c < (r + 1) << 6; ++c) all = all && classes[c] == kLetter;
      if (all) row[r >> 9][r & 63] |= static_cast<uint8_t>(1u << (r >> 6 & 7));
    }
  }
};

struct Avx512 {
  template <Pattern P>
  static uint64_t widen(const uint8_t* p, block::Block& b) {
    constexpr block::Rules r = block::rules(P);
    const WideTables& t = WideTables::get();
    const __m512i v = _mm512_loadu_si512(p), next = _mm512_loadu_si512(p + 1);
    const auto set1 = [](int x) { return _mm512_set1_epi8(static_cast<char>(x)); };
    const uint64_t tail = _mm512_cmpeq_epi8_mask(_mm512_and_si512(v, set1(0xc0)), set1(0x80));
    const uint64_t two = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, set1(0xc2)), set1(0xe0 - 0xc2)) & (tail >> 1);
    const uint64_t three = _mm512_cmpeq_epi8_mask(_mm512_and_si512(v, set1(0xf0)), set1(0xe0)) & (tail >> 1) & (tail >> 2);
    // 1 << (first byte & 7)
    const __m512i bit = _mm512_shuffle_epi8(_mm512_set1_epi64(static_cast<long long>(0x8040201008040201ull)),
                                            _mm512_and_si512(v, set1(7)));
    const auto in = [&](const uint8_t(*table)[64], __mmask64 high) {
      const __m512i low = _mm512_permutexvar_epi8(next, _mm512_load_si512(table[0]));
      return _mm512_mask_permutexvar_epi8(low, high, next, _mm512_load_si512(table[1]));
    };
    const uint64_t eight = _mm512_test_epi8_mask(v, set1(8)), sixteen = _mm512_test_epi8_mask(v, set1(16));
    uint64_t done = 0, starts = 0;
    if (two) {
      const auto test = [&](const uint8_t(*table)[64]) {
        const __m512i m = _mm512_mask_blend_epi8(sixteen, in(table, eight), in(table + 2, eight));
        return static_cast<uint64_t>(_mm512_test_epi8_mask(m, bit));
      };
      const uint64_t plain = two & ~test(t.odd);
      const auto both = [](uint64_t m) { return m | m << 1; };
      b.letter |= both(plain & test(t.letter));
      if (r.cased) {
        b.upper |= both(plain & test(t.upper));
        b.lower |= both(plain & test(t.lower));
      }
      done = both(plain);
      starts = plain;
    }
    if (three) {
      const uint64_t letters = three & _mm512_test_epi8_mask(in(t.row, eight), bit);
      const uint64_t bytes = letters | letters << 1 | letters << 2;
      b.letter |= bytes;
      done |= bytes;
      starts |= letters;
    }
    b.starts &= ~(done & ~starts);
    return done;
  }
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
