#include "runtime/cpu_features.hpp"
#include "tokenizer/pretokenize/scan_block.hpp"

namespace xcore::tokenizer {
namespace {

using block::Classes;

struct Portable {
  static Classes classify(const uint8_t* p) {
    Classes c = {};
    const auto set = [](uint64_t& m, bool on, size_t i) { m |= static_cast<uint64_t>(on) << i; };
    for (size_t i = 0; i < 64; ++i) {
      const uint8_t b = p[i];
      set(c.upper, static_cast<uint8_t>(b - 'A') < 26, i);
      set(c.lower, static_cast<uint8_t>(b - 'a') < 26, i);
      set(c.number, static_cast<uint8_t>(b - '0') < 10, i);
      set(c.space, b == ' ' || static_cast<uint8_t>(b - 9) < 5, i);
      set(c.newline, b == '\n' || b == '\r', i);
      set(c.blank, b == ' ', i);
      set(c.apostrophe, b == '\'', i);
      set(c.slash, b == '/', i);
      set(c.non_ascii, b >= 0x80, i);
    }
    return c;
  }
  template <Pattern>
  static uint64_t widen(const uint8_t*, block::Block&) {
    return 0;
  }
  static size_t flatten(uint64_t bits, uint32_t base, uint32_t* out) {
    size_t n = 0;
    for (; bits; bits &= bits - 1) out[n++] = base + static_cast<uint32_t>(block::lowest(bits));
    return n;
  }
};

}  // namespace

bool safe_cut(const uint8_t* begin, const uint8_t* at, const uint8_t* end) {
  if (at - begin < 2 || at[-1] != '\n') return false;
  const ClassTable& table = ClassTable::get();
  return !(table[decode_utf8_before(begin, at - 1).value] & kSpace) && (table[decode_utf8(at, end).value] & kLetter);
}

// Piece by piece, for patterns without bit algebra.
template <Pattern P>
size_t scan_pieces(const uint8_t* base, const uint8_t*& at, const uint8_t* end, uint32_t* ends, size_t wanted) {
  size_t count = 0;
  while (at < end && count < wanted) {
    at = next_piece(P, at, end);
    ends[count++] = static_cast<uint32_t>(at - base);
  }
  return count;
}

Scan scanner_portable(Pattern pattern) {
  return pattern == Pattern::deepseek ? scan_pieces<Pattern::deepseek> : block::choose<Portable>(pattern);
}

Scan scanner(Pattern pattern, int level) {
  if (level == 0) return scanner_portable(pattern);
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  if (level == 1 && cpu.avx2) return scanner_avx2(pattern);
  if (level == 2 && cpu.avx512_vbmi2) return scanner_avx512(pattern);
#endif
  return nullptr;
}

Scan scanner(Pattern pattern) {
  for (int level = 2; level > 0; --level) {
    if (const Scan s = scanner(pattern, level)) return s;
  }
  return scanner_portable(pattern);
}

}  // namespace xcore::tokenizer
