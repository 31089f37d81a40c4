// The parts of xcore_te_bench.
#pragma once

namespace xcore::te {

// One pair and its surrogates on the CPU.
void bench_pair();
// All ordered pairs of a network by KSG: the shapes that are aimed at, then how the time grows with each size alone.
void bench_network(bool cuda);

}  // namespace xcore::te
