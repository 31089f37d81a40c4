// Networks with known structure for the tests and benches of this folder.
#pragma once

#include <cmath>
#include <vector>

#include "runtime/philox.hpp"
#include "xcore/te.h"

namespace xcore::te {

// A sparse vector autoregression: every variable follows itself and two others. [variable][n]
inline std::vector<double> sparse_var(int32_t variables, int64_t n, uint64_t seed, double quantum = 0) {
  Philox random(seed, 11);
  std::vector<double> x(variables * n), now(variables), next(variables);
  std::vector<uint32_t> from(2 * variables);
  for (uint32_t& f : from) f = random.next_below(variables);
  for (int64_t t = -100; t < n; ++t) {
    for (int32_t i = 0; i < variables; ++i)
      next[i] = 0.4 * now[i] + 0.3 * now[from[2 * i]] - 0.3 * now[from[2 * i + 1]] + random.next_normal();
    now = next;
    for (int32_t i = 0; t >= 0 && i < variables; ++i) x[i * n + t] = quantum > 0 ? std::round(now[i] / quantum) * quantum : now[i];
  }
  return x;
}

inline xc_te_options network_embedding(int32_t k = 4, int32_t target_history = 1, int32_t source_history = 1, int32_t theiler = 0) {
  xc_te_options o{};
  o.size = sizeof o, o.estimator = XC_TE_KSG1, o.k = k, o.theiler = theiler;
  o.target_history = target_history, o.source_history = source_history;
  o.target_tau = o.source_tau = o.delay = o.normalise = 1;
  return o;
}

}  // namespace xcore::te
