#include "thermo/beta_posterior/beta_posterior.hpp"

#include <vector>

#include "thermo/bench_round.hpp"

void bench_beta_posterior(xc_device device) {
  using namespace xcore;
  const int64_t count = 1000000, few = 10000;
  std::vector<double> alpha(count), beta(count), ones(count, 1), a(count), b(count), c(count), d(count);
  Philox random(2);
  for (int64_t i = 0; i < count; ++i) {
    alpha[i] = 1 + 50 * random.next_double();
    beta[i] = 1 + 50 * random.next_double();
  }
  bench_round("beta_update, 1e6 pairs", device, count, [&] {
    thermo::beta_update({alpha.data(), beta.data(), ones.data(), ones.data(), count, 1, 1, 0.99, a.data(), b.data()}, device,
                        Control());
  });
  bench_round("beta_sample, 1e6 pairs", device, count, [&] {
    thermo::beta_sample({alpha.data(), beta.data(), count, 1, 0, a.data()}, device, Control());
  });
  bench_round("beta_summary, 1e4 pairs", device, few, [&] {
    thermo::beta_summary({alpha.data(), beta.data(), few, 0.95, a.data(), b.data(), c.data(), d.data()}, device, Control());
  });
}
