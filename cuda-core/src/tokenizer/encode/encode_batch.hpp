// Many texts into one block of ids.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/control.hpp"
#include "tokenizer/encode/ids_memory.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

// Ids of text i at ids[offsets[i]] .. ids[offsets[i + 1]]; `ids` is for release_ids(), `offsets` the caller's.
struct EncodedBatch {
  uint32_t* ids = nullptr;
  size_t* offsets = nullptr;  // [count + 1]
};

// On the CPU's threads: short texts side by side, long ones one after the other with all threads on each. flags: XC_ENCODE_*.
// Throws XC_CANCELLED, and what Tokenizer::encode throws.
void encode_batch(const Tokenizer& tokenizer, const xc_text* texts, size_t count, uint32_t flags, const Control& control, EncodedBatch& out);

}  // namespace xcore::tokenizer
