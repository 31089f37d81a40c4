// The kernels behind quantize_rows_cpu: `blocks` consecutive blocks of 32.
#pragma once

#include "llm/quantize/quantize.hpp"

namespace xcore::llm {

void quantize_blocks_avx2(const float* x, int64_t blocks, int8_t* q, float* scale);

}  // namespace xcore::llm
