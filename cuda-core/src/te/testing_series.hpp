// Series with known structure for the tests and benches of this domain.
#pragma once

#include <utility>
#include <vector>

#include "runtime/philox.hpp"

namespace xcore::te {

// x = 0.5 x + e, y = 0.6 y + coupling x + e': x drives y.
inline std::pair<std::vector<double>, std::vector<double>> coupled_ar(int64_t n, double coupling, uint64_t seed) {
  Philox random(seed, 7);
  std::vector<double> x(n), y(n);
  double a = 0, b = 0;
  for (int64_t t = -200; t < n; ++t) {
    const double next = 0.6 * b + coupling * a + random.next_normal();
    a = 0.5 * a + random.next_normal();
    b = next;
    if (t >= 0) x[t] = a, y[t] = b;
  }
  return {x, y};
}

}  // namespace xcore::te
