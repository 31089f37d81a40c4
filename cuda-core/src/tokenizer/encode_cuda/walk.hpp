// How the pieces of a chunk are shared among threads: each owns the pieces between the first certain start of its own
// bytes and the first certain start behind them.
#pragma once

#include "tokenizer/encode_cuda/scanner.hpp"

namespace xcore::tokenizer::gpu {

// Calls mark(position) for every piece start that the owner of bytes [from, stop) of a chunk has to find, ascending.
// `begins` are the begins of the chunk's segments, then its size; `segment` is the one that contains `from`; from < stop.
template <Pattern kPattern, class Mark>
XC_HD void walk(const ClassView& classes, const uint8_t* text, const uint32_t* begins, uint32_t segment, uint32_t from,
                uint32_t stop, Mark&& mark) {
  const uint8_t* begin = text + begins[segment];
  const uint8_t* end = text + begins[segment + 1];
  const uint8_t* p = text + from;
  const auto enter_next_segment = [&] {
    ++segment;
    begin = end;
    end = text + begins[segment + 1];
  };
  for (;; ++p) {
    if (p == text + stop) return;  // whoever came from the left goes through
    if (p == end) enter_next_segment();
    if (Scanner(classes, begin, end).certain_start(p)) break;
  }
  for (;;) {
    mark(static_cast<uint32_t>(p - text));
    p = Scanner(classes, begin, end).template next<kPattern>(p);
    if (p == end) {
      if (p >= text + stop) return;
      enter_next_segment();
    } else if (p >= text + stop && Scanner(classes, begin, end).certain_start(p)) {
      return;
    }
  }
}

}  // namespace xcore::tokenizer::gpu
