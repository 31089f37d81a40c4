// xcore_te_bench                   one pair and surrogates, on the CPU
//   xcore_te_bench network         all pairs of networks, on the CPU
//   xcore_te_bench network cuda    the same on the first GPU
// XCORE_THREADS sets the threads.
#include <cstdio>
#include <cstring>

#include "runtime/error.hpp"
#include "te/bench.hpp"

int main(int argc, char** argv) {
  try {
    if (argc > 1 && std::strcmp(argv[1], "network") == 0) xcore::te::bench_network(argc > 2 && std::strcmp(argv[2], "cuda") == 0);
    else xcore::te::bench_pair();
    return 0;
  } catch (const xcore::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
