// One transfer entropy or mutual information: embedding, estimate, surrogates, significance, interval; on the CPU or a
// GPU.
#pragma once

#include <vector>

#include "runtime/control.hpp"
#include "te/embedding/embedding.hpp"

namespace xcore::te {

struct Estimate {
  xc_te_result result;
  std::vector<double> locals;      // when asked for; `tuples` values
  std::vector<double> surrogates;  // one value a surrogate drawn
};

// A constant source, and a constant target, give 0 (locals and surrogates 0, p 1) by definition: there is nothing that
// could be told. KSG's counts alone would say something else when every distance is 0.
Estimate estimate(const xc_te_series& source, const xc_te_series& target, const xc_te_series& conditions,
                  int64_t samples, const xc_te_options& options, bool want_locals, const Control& control);

}  // namespace xcore::te
