// xcore_te_bench                   one pair and surrogates, on the CPU
//   xcore_te_bench network         all pairs of networks, on the CPU
//   xcore_te_bench network cuda    the same on the first GPU
//   xcore_te_bench network cpu|cuda V N k history    one shape alone
//   xcore_te_bench pair cuda       one pair on the CPU and on the first GPU
// XCORE_THREADS sets the threads.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/error.hpp"
#include "te/bench.hpp"

int main(int argc, char** argv) {
  try {
    const auto is = [&](int at, const char* word) { return argc > at && std::strcmp(argv[at], word) == 0; };
    const bool cuda = is(2, "cuda");
    if (is(1, "network") && argc > 6) xcore::te::bench_network(cuda, std::atoi(argv[3]), std::atol(argv[4]), std::atoi(argv[5]), std::atoi(argv[6]));
    else if (is(1, "network")) xcore::te::bench_network(cuda);
    else if (is(1, "pair") && cuda) xcore::te::bench_pair_devices();
    else xcore::te::bench_pair();
    return 0;
  } catch (const xcore::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
