// xcore_llm_bench [seconds per line]: figures of the CPU kernels. See matmul_bench.cpp.
//   xcore_llm_bench model.gguf ...   prefill and decode of whole models instead
//   xcore_llm_bench cuda             the GPU's products; with models or shapes behind it (bench_cuda.hpp), those
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "llm/bench.hpp"
#include "llm/bench_cuda.hpp"
#include "runtime/error.hpp"

int main(int argc, char** argv) {
  try {
#if XCORE_CUDA
    if (argc > 1 && std::strcmp(argv[1], "cuda") == 0) {
      if (argc == 2)
        xcore::llm::bench_cuda_gemv(0, nullptr);
      else
        xcore::llm::bench_cuda_decode(argc - 2, argv + 2);
      return 0;
    }
#endif
    double seconds = 0.2;
    bool models = false;
    for (int i = 1; i < argc; ++i) {
      if (std::strstr(argv[i], ".gguf")) {
        xcore::llm::bench_model(argv[i]);
        models = true;
      } else {
        seconds = std::atof(argv[i]);
      }
    }
    if (!models) {
      xcore::llm::bench_matmul(seconds);
      xcore::llm::bench_sampler();
    }
    return 0;
  } catch (const xcore::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
