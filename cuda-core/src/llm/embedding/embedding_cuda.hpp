// embedding.hpp on the GPU: the same bits as the reference. `ids` are device memory and checked by the caller.
#pragma once

#include "llm/embedding/embedding.hpp"
#include "llm/weights/weights_cuda.hpp"

namespace xcore::llm {

void embedding_cuda(const DeviceMatrix& table, const int32_t* ids, int32_t count, float* out, cudaStream_t stream);

}  // namespace xcore::llm
