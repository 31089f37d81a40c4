// Spin updates a nanosecond of replica exchange as a whole: sweeps, swaps, and the energies that are kept.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "thermo/ising/ground_state/bench_graphs.hpp"
#include "thermo/ising/replica_exchange/replica_exchange.hpp"

namespace {

using namespace xcore;
using namespace xcore::thermo::ising;

double seconds_of(const BenchGraph& g, int32_t slots, int32_t chains, int32_t sweeps_per_round, int64_t rounds, xc_device device) {
  std::vector<double> betas, readings(static_cast<size_t>(slots) * XC_ISING_READINGS);
  for (int k = 0; k < slots; ++k) betas.push_back(1 / (3 * std::pow(0.1, k / (slots - 1.0))));  // T 3 to 0.3
  xc_ising_temper_options o{};
  o.betas = betas.data();
  o.slots = slots;
  o.chains = chains;
  o.rounds = rounds;
  o.sweeps_per_round = sweeps_per_round;
  const auto start = std::chrono::steady_clock::now();
  temper({g.edges.data(), g.couplings.data(), nullptr, static_cast<int64_t>(g.couplings.size()), g.n, 0}, o, device,
         {readings.data(), nullptr, nullptr, nullptr, nullptr, nullptr}, Control());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void bench_replica_exchange(xc_device device) {
  const bool cpu = device.kind == XC_DEVICE_CPU;
  const int before = thread_pool().threads();
  if (cpu) thread_pool().set_threads(1);
  for (const char* const name : {"random:2000:19990:1", "torus:100:20:1", "random:5000:12498:1"}) {
    BenchGraph g;
    bench_graph("", name, g);
    for (const int32_t chains : cpu ? std::vector<int32_t>{1, 4, 16} : std::vector<int32_t>{32, 132, 1056}) {
      const int32_t slots = 32;
      for (const int32_t sweeps : {1, 10}) {
        const int64_t few = 4, many = few + (cpu ? 1600 / chains : chains > 500 ? 200 : 1000) / sweeps;
        seconds_of(g, slots, chains, sweeps, 1, device);
        double best = INFINITY;
        for (int k = 0; k < 2; ++k)
          best = std::min(best, seconds_of(g, slots, chains, sweeps, many, device) - seconds_of(g, slots, chains, sweeps, few, device));
        const double updates = static_cast<double>(g.n) * slots * chains * sweeps * static_cast<double>(many - few);
        std::printf("replica exchange, %s, %d x %d replicas, %d sweeps a round  %s  %.3f spin updates/ns%s, %.3f ms a round\n", name,
                    chains, slots, sweeps, cpu ? "cpu " : "cuda", updates / best * 1e-9, cpu ? " a core" : "",
                    best / static_cast<double>(many - few) * 1e3);
        std::fflush(stdout);
      }
    }
  }
  thread_pool().set_threads(before);
}
