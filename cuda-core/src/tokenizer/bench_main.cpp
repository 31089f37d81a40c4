// The benches of the domain: xcore_tokenizer_bench NAME ARGUMENTS...
#include "tokenizer/bench.hpp"

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const char* const name = argc > 1 ? argv[1] : "";
  if (std::strcmp(name, "encode") == 0) return xcore::tokenizer::bench_encode(argc - 1, argv + 1);
  if (std::strcmp(name, "passes") == 0) return xcore::tokenizer::bench_passes(argc - 1, argv + 1);
  if (std::strcmp(name, "memory") == 0) return xcore::tokenizer::bench_memory(argc - 1, argv + 1);
  if (std::strcmp(name, "batch") == 0) return xcore::tokenizer::bench_batch(argc - 1, argv + 1);
#if XCORE_CUDA
  if (std::strcmp(name, "encode-cuda") == 0) {
    xcore::tokenizer::bench_encode_cuda(argc - 1, argv + 1);
    return 0;
  }
#endif
  std::fprintf(stderr, "xcore_tokenizer_bench: no bench '%s' in this build\n", name);
  return 1;
}
