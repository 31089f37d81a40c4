// The GPU benches that bench_main.cpp dispatches to in a build with CUDA.
#pragma once

#if XCORE_CUDA
namespace xcore::llm {

// Products with one token: GB/s of weights per type and shape, beside a kernel that only reads. No arguments.
void bench_cuda_gemv(int argc, char** argv);

// Tokens per second of whole models: each argument is a GGUF file or a shape with random weights: 1.1b-q4_0, 7b-q4_0,
// 7b-q8_0, 7b-f16, 8b-q4_0, 8b-q8_0. Prompt of 512 tokens; decoding at depths 0, 512 and, where the model reaches that
// far, 4096.
void bench_cuda_decode(int argc, char** argv);

}  // namespace xcore::llm
#endif
