// The parts of xcore_te_bench.
#pragma once

namespace xcore::te {

// One pair and its surrogates on the CPU.
void bench_pair();
// One pair on all threads of the CPU and on the first GPU: where one overtakes the other.
void bench_pair_devices();
// All ordered pairs of a network by KSG: the shapes that are aimed at, then how the time grows with each size alone.
void bench_network(bool cuda);
// One shape alone.
void bench_network(bool cuda, int variables, long samples, int k, int history);

}  // namespace xcore::te
