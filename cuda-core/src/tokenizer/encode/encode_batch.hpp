// Many texts into one block of ids.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/control.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

// Ids of text i at ids[offsets[i]] .. ids[offsets[i + 1]]; `ids` is from malloc, `offsets` the caller's.
struct EncodedBatch {
  uint32_t* ids = nullptr;
  size_t* offsets = nullptr;  // [count + 1]
};

// A block for so many ids, of which only the pages that are written cost memory. Throws std::bad_alloc.
uint32_t* reserve_ids(size_t count);
// Gives back what is beyond `count`.
uint32_t* shrink_ids(uint32_t* ids, size_t count);

// On the CPU's threads: short texts side by side, long ones one after the other with all threads on each. flags: XC_ENCODE_*.
// Throws XC_CANCELLED, and what Tokenizer::encode throws.
void encode_batch(const Tokenizer& tokenizer, const xc_text* texts, size_t count, uint32_t flags, const Control& control, EncodedBatch& out);

}  // namespace xcore::tokenizer
