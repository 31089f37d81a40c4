// Two phases: every block reduces its share, and the block that finishes last reduces the blocks' results. Each phase
// walks in a fixed order, so that the result never depends on which block was last.
#include <climits>

#include "llm/device/launch_cuda.hpp"
#include "llm/device/warp_cuda.hpp"
#include "llm/logprob/logprob_cuda.hpp"

namespace xcore::llm {

namespace {

constexpr int kThreads = 256;

// The largest value so far, its lowest index, and the sum of exp(value - largest). Empty: sum 0.
struct Best {
  float largest;
  int id;
  float sum;
};

__device__ __forceinline__ Best empty() { return {-INFINITY, INT_MAX, 0.0f}; }

__device__ __forceinline__ Best merged(const Best& a, const Best& b) {
  if (a.largest == b.largest) return {a.largest, min(a.id, b.id), a.sum + b.sum};
  // The smaller one may be -infinity; its weight is then 0.
  if (a.largest > b.largest) return {a.largest, a.id, a.sum + b.sum * expf(b.largest - a.largest)};
  return {b.largest, b.id, b.sum + a.sum * expf(a.largest - b.largest)};
}

// The block's result in thread 0.
__device__ Best reduced(Best own) {
  __shared__ Best shared[kThreads / kWarp];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) {
    const Best other{__shfl_down_sync(kAllLanes, own.largest, offset), __shfl_down_sync(kAllLanes, own.id, offset),
                     __shfl_down_sync(kAllLanes, own.sum, offset)};
    own = merged(own, other);
  }
  __syncthreads();  // a former call's values have been read
  if (lane == 0) shared[warp] = own;
  __syncthreads();
  if (threadIdx.x == 0)
    for (int w = 1; w < kThreads / kWarp; ++w) own = merged(own, shared[w]);
  return own;
}

__global__ void __launch_bounds__(kThreads)
    best_token_kernel(const float* logits, int count, LogprobScratch scratch, BestToken* best, StepState* next) {
  __shared__ bool last;
  let_next_start();
  wait_for_previous();
  Best own = empty();
  for (int i = blockIdx.x * kThreads + threadIdx.x; i < count; i += gridDim.x * kThreads) {
    const float logit = logits[i];
    own = merged(own, {isnan(logit) ? -INFINITY : logit, i, isnan(logit) ? logit : 1.0f});  // NaN * 0 stays NaN
  }
  own = reduced(own);
  if (threadIdx.x == 0) {
    scratch.partials[blockIdx.x * 3] = own.largest;
    scratch.partials[blockIdx.x * 3 + 1] = __int_as_float(own.id);
    scratch.partials[blockIdx.x * 3 + 2] = own.sum;
    __threadfence();
    last = atomicAdd(scratch.finished, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  __threadfence();
  own = empty();
  for (int b = threadIdx.x; b < gridDim.x; b += kThreads)
    own = merged(own, {__ldcg(scratch.partials + b * 3), __float_as_int(__ldcg(scratch.partials + b * 3 + 1)),
                       __ldcg(scratch.partials + b * 3 + 2)});
  own = reduced(own);
  if (threadIdx.x == 0) {
    *best = {own.id, -logf(own.sum)};
    if (next) {
      next->position += 1;
      next->id = own.id;
    }
    *scratch.finished = 0;
  }
}

}  // namespace

void best_token_cuda(const float* logits, int32_t count, LogprobScratch scratch, BestToken* best, StepState* next,
                     cudaStream_t stream) {
  const int blocks = min(kLogprobBlocks, ceil_div(count, kThreads));
  launch_overlapped("launch of best_token", best_token_kernel, blocks, kThreads, 0, stream, logits, count, scratch, best,
                    next);
}

}  // namespace xcore::llm
