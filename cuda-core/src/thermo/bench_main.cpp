// The benches of the domain: xcore_thermo_bench. Median of the rounds that fit half a second, one line each.
#include <cstring>

#include "runtime/device.hpp"

void bench_boltzmann(xc_device device);
void bench_beta_posterior(xc_device device);
void bench_belief_table(xc_device device);
void bench_bitsliced(xc_device device);
int bench_gset(int count, char** arguments);  // ising/ground_state: minutes, so only when asked for

int main(int count, char** arguments) {
  if (count > 1 && std::strcmp(arguments[1], "gset") == 0) return bench_gset(count - 2, arguments + 2);
  for (const bool gpu : {false, true}) {
    if (gpu && xcore::cuda_device_count() == 0) break;
    const xc_device device = gpu ? xcore::cuda_device(0) : xcore::kCpu;
    bench_boltzmann(device);
    bench_beta_posterior(device);
    bench_belief_table(device);
    bench_bitsliced(device);
  }
  return 0;
}
