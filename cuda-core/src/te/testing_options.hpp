// Options as the table completes them, for the tests and benches of this domain.
#pragma once

#include "runtime/device.hpp"
#include "te/embedding/embedding.hpp"

namespace xcore::te {

inline xc_te_options default_options() {
  xc_te_options o{};
  o.size = sizeof o;
  o.estimator = XC_TE_KSG1, o.k = 4;
  o.target_history = o.target_tau = o.source_history = o.source_tau = o.delay = o.normalise = 1;
  o.kernel_width = 0.5, o.bins = 8, o.max_history = 5, o.max_tau = 1;
  o.device = kCpu;
  return o;
}

inline Series series_of(const std::vector<double>& x, const std::vector<double>& y) {
  return {{x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, static_cast<int64_t>(y.size())};
}

}  // namespace xcore::te
