#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 says this of its own intrinsics
#endif
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

// Classes of characters beyond ASCII as bitmaps that registers hold, by the last six bits of one of their bytes.
struct WideTables {
  // Byte `last` of table `high` has bit `low` for the two-byte character that begins 0xc0 + high * 8 + low and ends in
  // `last`; of `row` for the three-byte characters that begin 0xe0 + high * 8 + low and have `last` in their second byte,
  // if all 64 of them are letters without case (most of Chinese and Korean).
  alignas(64) uint8_t letter[4][64] = {}, upper[4][64] = {}, lower[4][64] = {}, odd[4][64] = {}, mark[4][64] = {};
  alignas(64) uint8_t row[2][64] = {};
  // Rows of three-byte characters that mix classes and are met often; bit = place in the list.
  static constexpr size_t kGroups = 2;
  static constexpr uint16_t kRows[kGroups][8] = {
      {0xe280, 0xe380, 0xe381, 0xe382, 0xe383, 0xefbc, 0xefbd, 0xe284},   // punctuation, kana, full-width forms
      {0xe0a4, 0xe0a5, 0xe0b8, 0xe0b9, 0xe1ba, 0xe1bb, 0xe281, 0xe0ae}};  // Devanagari, Thai, Vietnamese, Tamil
  struct Group {
    alignas(64) uint8_t letter[64] = {}, upper[64] = {}, lower[64] = {}, odd[64] = {}, mark[64] = {};
  };
  Group groups[kGroups];

  static const WideTables& get() {
    static const WideTables tables;
    return tables;
  }

 private:
  WideTables() {
    const ClassTable& classes = ClassTable::get();
    for (uint32_t c = 0x80; c < 0x800; ++c) {
      const uint32_t first = c >> 6;  // less 0xc0
      const auto set = [&](uint8_t(*table)[64], uint8_t any) {
        if (classes[c] & any) table[first >> 3][c & 63] |= static_cast<uint8_t>(1u << (first & 7));
      };
      set(letter, kLetter);
      set(upper, kUpper);
      set(lower, kLower);
      set(odd, kNumber | kSpace);
      set(mark, kMark);
    }
    for (uint32_t r = 0x800 >> 6; r < 0x10000 >> 6; ++r) {
      bool all = true;
      for (uint32_t c = r << 6; c < (r + 1) << 6; ++c) all = all && classes[c] == kLetter;
      if (all) row[r >> 9][r & 63] |= static_cast<uint8_t>(1u << (r >> 6 & 7));
    }
    for (size_t g = 0; g < kGroups; ++g) {
      for (uint32_t k = 0; k < 8; ++k) {
        const uint32_t base = (kRows[g][k] >> 8 & 15u) << 12 | (kRows[g][k] & 63u) << 6;
        for (uint32_t i = 0; i < 64; ++i) {
          const auto set = [&](uint8_t* table, uint8_t any) {
            if (classes[base + i] & any) table[i] |= static_cast<uint8_t>(1u << k);
          };
          set(groups[g].letter, kLetter);
          set(groups[g].upper, kUpper);
          set(groups[g].lower, kLower);
          set(groups[g].odd, kNumber | kSpace);
          set(groups[g].mark, kMark);
        }
      }
    }
  }
};

struct Avx512 {
  // Numbers and white space, and marks where they are not plain, are left to the caller.
  template <Pattern P>
  static uint64_t widen(const uint8_t* p, block::Block& b) {
    constexpr block::Rules r = block::rules(P);
    const WideTables& t = WideTables::get();
    const auto set1 = [](int x) { return _mm512_set1_epi8(static_cast<char>(x)); };
    const __m512i v = _mm512_loadu_si512(p), next = _mm512_loadu_si512(p + 1);
    const uint64_t tail = _mm512_cmpeq_epi8_mask(_mm512_and_si512(v, set1(0xc0)), set1(0x80));
    const uint64_t two = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, set1(0xc2)), set1(0xe0 - 0xc2)) & (tail >> 1);
    const uint64_t three = _mm512_cmpeq_epi8_mask(_mm512_and_si512(v, set1(0xf0)), set1(0xe0)) & (tail >> 1) & (tail >> 2);
    const uint64_t eight = _mm512_test_epi8_mask(v, set1(8));
    // 1 << (first byte & 7)
    const __m512i bit = _mm512_shuffle_epi8(_mm512_set1_epi64(static_cast<long long>(0x8040201008040201ull)),
                                            _mm512_and_si512(v, set1(7)));
    const auto look = [&](const uint8_t(*table)[64]) {
      const __m512i low = _mm512_permutexvar_epi8(next, _mm512_load_si512(table[0]));
      return _mm512_mask_permutexvar_epi8(low, eight, next, _mm512_load_si512(table[1]));
    };
    uint64_t done = 0, starts = 0;
    if (two) {
      const uint64_t sixteen = _mm512_test_epi8_mask(v, set1(16));
      const auto test = [&](const uint8_t(*table)[64]) {
        const __m512i m = _mm512_mask_blend_epi8(sixteen, look(table), look(table + 2));
        return static_cast<uint64_t>(_mm512_test_epi8_mask(m, bit));
      };
      const auto both = [](uint64_t m) { return m | m << 1; };
      const uint64_t plain = two & ~test(t.odd) & ~(r.cased || r.marks ? test(t.mark) : 0);
      b.letter |= both(plain & test(t.letter));
      if (r.cased) {
        b.upper |= both(plain & test(t.upper));
        b.lower |= both(plain & test(t.lower));
      }
      done = both(plain);
      starts = plain;
    }
    if (three) {
      const auto all = [](uint64_t m) { return m | m << 1 | m << 2; };
      const uint64_t letters = three & _mm512_test_epi8_mask(look(t.row), bit);
      b.letter |= all(letters);
      starts |= letters;
      uint64_t left = three & ~letters;
      if (left) {
        // Of the last two bytes of the block none is the third of three: they are not read.
        const __m512i last = _mm512_maskz_loadu_epi8(~uint64_t{0} >> 2, p + 2);
        for (size_t g = 0; g < WideTables::kGroups && left; ++g) {
          __m512i place = _mm512_setzero_si512();
          for (int k = 0; k < 8; ++k) {
            const uint16_t row = WideTables::kRows[g][k];
            const __mmask64 here = _mm512_mask_cmpeq_epi8_mask(_mm512_cmpeq_epi8_mask(v, set1(row >> 8)), next, set1(row & 255));
            place = _mm512_mask_blend_epi8(here, place, set1(1 << k));
          }
          const WideTables::Group& group = t.groups[g];
          const auto test = [&](const uint8_t* table) {
            return static_cast<uint64_t>(_mm512_test_epi8_mask(_mm512_permutexvar_epi8(last, _mm512_load_si512(table)), place));
          };
          const uint64_t known = left & _mm512_test_epi8_mask(place, place);
          const uint64_t plain = known & ~test(group.odd) & ~(r.cased || r.marks ? test(group.mark) : 0);
          b.letter |= all(plain & test(group.letter));
          if (r.cased) {
            b.upper |= all(plain & test(group.upper));
            b.lower |= all(plain & test(group.lower));
          }
          starts |= plain;
          left &= ~known;
        }
      }
      done |= all(starts & three);
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
    // Few blocks have more than 32, about half have more than 16.
    store(0, _mm512_castsi512_si128(positions));
    store(16, _mm512_maskz_extracti32x4_epi32(0xf, positions, 1));
    if (n > 32) {
      store(32, _mm512_maskz_extracti32x4_epi32(0xf, positions, 2));
      store(48, _mm512_maskz_extracti32x4_epi32(0xf, positions, 3));
    }
    return n;
  }
};

}  // namespace

Scan scanner_avx512(Pattern pattern) { return block::choose<Avx512>(pattern); }

}  // namespace xcore::tokenizer
