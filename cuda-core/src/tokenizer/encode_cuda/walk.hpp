// How the pieces of a chunk are shared among threads: each owns the pieces between the first certain start of its own
// bytes and the first certain start behind them.
#pragma once

#include "tokenizer/encode_cuda/scanner.hpp"

namespace xcore::tokenizer::gpu {

// Calls mark(position) for every piece start that the owner of bytes [from, stop) of a chunk has to find, ascending.
// `begins` are the begins of the chunk's segments, then its size; `segment` is the one that contains `from`; from < stop.
template <Pattern kPattern, class Mark>
XC_HD void walk(const uint8_t* text, const Info* info, const uint32_t* begins, uint32_t segment, uint32_t from, uint32_t stop,
                Mark&& mark) {
  uint32_t begin = begins[segment], end = begins[segment + 1];
  uint32_t p = from;
  const auto enter_next_segment = [&] {
    ++segment;
    begin = end;
    end = begins[segment + 1];
  };
  for (;; ++p) {
    if (p == stop) return;  // whoever came from the left goes through
    if (p == end) enter_next_segment();
    if (Scanner(text, info, begin, end).template certain_start<kPattern>(p)) break;
  }
  for (;;) {
    mark(p);
    p = Scanner(text, info, begin, end).template next<kPattern>(p);
    if (p == end) {
      if (p >= stop) return;
      enter_next_segment();
    } else if (p >= stop && Scanner(text, info, begin, end).template certain_start<kPattern>(p)) {
      return;
    }
  }
}

}  // namespace xcore::tokenizer::gpu
