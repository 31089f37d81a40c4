// The benches of the domain: xcore_thermo_bench [name [cpu | cuda]]. Median of the rounds that fit half a second, one line each.
#include <cstring>

#include "runtime/device.hpp"

void bench_boltzmann(xc_device device);
void bench_beta_posterior(xc_device device);
void bench_belief_table(xc_device device);
void bench_context_belief(xc_device device);
void bench_bitsliced(xc_device device);
void bench_replica_exchange(xc_device device);
int bench_gset(int count, char** arguments);  // ising/ground_state: minutes, so only when asked for

int main(int count, char** arguments) {
  const char* const only = count > 1 ? arguments[1] : "";
  const char* const where = count > 2 ? arguments[2] : "";
  if (std::strcmp(only, "gset") == 0) return bench_gset(count - 2, arguments + 2);
  const struct {
    const char* name;
    void (*run)(xc_device device);
  } benches[] = {{"boltzmann", bench_boltzmann},
                 {"beta_posterior", bench_beta_posterior},
                 {"belief_table", bench_belief_table},
                 {"context_belief", bench_context_belief},
                 {"bitsliced", bench_bitsliced},
                 {"replica_exchange", bench_replica_exchange}};
  for (const bool gpu : {false, true}) {
    if (gpu && xcore::cuda_device_count() == 0) break;
    if (*where && std::strcmp(where, gpu ? "cuda" : "cpu") != 0) continue;
    const xc_device device = gpu ? xcore::cuda_device(0) : xcore::kCpu;
    for (const auto& bench : benches)
      if (!*only || std::strcmp(only, bench.name) == 0) bench.run(device);
  }
  return 0;
}
