// Non-uniform embedding by greedy selection; see auto_embedding.hpp.
#pragma once

#include "te/embedding/embedding.hpp"
#include "runtime/control.hpp"

namespace xcore::te {

// Target lags 1..max_history * max_tau, then source lags delay..delay + max_history * max_tau - 1, as many of the
// candidates as XC_TE_MAX_LAGS allows. Without any that passes the test the given newest lag stands alone.
Lags greedy_lags(const Series& series, const xc_te_options& options, const Control& control);

}  // namespace xcore::te
