#include "thermo/boltzmann/boltzmann.hpp"

#include <string>
#include <vector>

#include "thermo/bench_round.hpp"

void bench_boltzmann(xc_device device) {
  using namespace xcore;
  for (const int32_t models : {11, 64}) {
    const int64_t rows = 1 << 17;
    std::vector<double> energies(rows * models), temperatures(rows, 0.2), probabilities(rows * models);
    std::vector<double> readings(rows * XC_THERMO_READINGS);
    std::vector<int32_t> choices(rows);
    Philox random(1);
    for (double& e : energies) e = random.next_double();
    const thermo::BoltzmannBatch batch{energies.data(), rows, models, temperatures.data(), 1, 0, probabilities.data(),
                                       readings.data(), choices.data()};
    const std::string name = "boltzmann, 131072 rows x " + std::to_string(models) + " (rows)";
    bench_round(name.c_str(), device, rows, [&] { thermo::boltzmann(batch, device, Control()); });
  }
}
