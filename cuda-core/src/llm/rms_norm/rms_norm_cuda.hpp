// rms_norm.hpp on the GPU, quantising in the same pass when the next product wants it.
#pragma once

#include <cuda_runtime.h>

#include "llm/quantize/quantize.hpp"
#include "llm/rms_norm/rms_norm.hpp"

namespace xcore::llm {

// Writes `out` unless it is nullptr, and `quantized` unless its q is nullptr (width then a multiple of 32).
// Outputs are dense; `out` may be x.
void rms_norm_cuda(const float* x, const float* weight, int32_t rows, int32_t width, float eps, float* out,
                   QuantizedRows quantized, cudaStream_t stream);

}  // namespace xcore::llm
