// swiglu.hpp on the GPU, quantising in the same pass when the next product wants it.
#pragma once

#include <cuda_runtime.h>

#include "llm/quantize/quantize.hpp"
#include "llm/swiglu/swiglu.hpp"

namespace xcore::llm {

// Writes `out` unless it is nullptr, and `quantized` unless its q is nullptr (count then a multiple of 32).
void swiglu_cuda(const float* gate, const float* up, int64_t count, float* out, QuantizedRows quantized,
                 cudaStream_t stream);

}  // namespace xcore::llm
