// The largest logit and its log-probability on the GPU, in one launch; the next decode step starts from what it leaves.
#pragma once

#include <cuda_runtime.h>

#include "llm/logprob/logprob.hpp"

namespace xcore::llm {

struct LogprobScratch {      // device memory
  float* partials;           // 3 * kLogprobBlocks values
  uint32_t* finished;        // zero before the first call; every call leaves it zero
};
inline constexpr int kLogprobBlocks = 64;

// What a decode step starts from, on the device.
struct StepState {
  int32_t position;
  int32_t id;
};

// Writes the best token to `best` (device memory, or page-locked host memory). Unless `next` is nullptr its position is
// raised by one and its id becomes the best token, so that the next step can start without the host.
void best_token_cuda(const float* logits, int32_t count, LogprobScratch scratch, BestToken* best, StepState* next,
                     cudaStream_t stream);

}  // namespace xcore::llm
