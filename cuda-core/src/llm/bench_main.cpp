// xcore_llm_bench [seconds per line]: figures of the CPU kernels. See matmul_bench.cpp.
//   xcore_llm_bench model.gguf ...   prefill and decode of whole models instead
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "llm/bench.hpp"
#include "runtime/error.hpp"

int main(int argc, char** argv) {
  try {
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
