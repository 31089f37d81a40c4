// The benches of the domain: xcore_thermo_bench. Median of the rounds that fit half a second, one line each.
#include "runtime/device.hpp"

void bench_boltzmann(xc_device device);
void bench_beta_posterior(xc_device device);
void bench_bitsliced(xc_device device);

int main() {
  for (const bool gpu : {false, true}) {
    if (gpu && xcore::cuda_device_count() == 0) break;
    const xc_device device = gpu ? xcore::cuda_device(0) : xcore::kCpu;
    bench_boltzmann(device);
    bench_beta_posterior(device);
    bench_bitsliced(device);
  }
  return 0;
}
