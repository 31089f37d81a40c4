#include "thermo/belief_table/belief_table.hpp"

#include <vector>

#include "thermo/bench_round.hpp"

// A million pairs: statistics come from ordinary host memory, parameters stay where the table is.
void bench_belief_table(xc_device device) {
  using namespace xcore;
  const int64_t pairs = 1000000;
  for (const bool normal : {false, true}) {
    const thermo::BeliefPrior prior =
        normal ? thermo::BeliefPrior{XC_BELIEFS_NORMAL, {0, 1, 2, 2}} : thermo::BeliefPrior{XC_BELIEFS_BETA, {1, 1, 0, 0}};
    thermo::BeliefTable table(prior, pairs, device);
    const std::vector<float> statistics(prior.statistics() * pairs, 1.f);
    bench_round(normal ? "belief table, normal, update of 1e6" : "belief table, beta, update of 1e6", device, pairs,
                [&] { table.update(statistics.data(), 0.99, Control()); });
  }
}
