// KSG values of one embedding at several numbers of neighbours: what is sorted is sorted once.
#pragma once

#include <cstdint>
#include <vector>

#include "te/estimate/estimator.hpp"

namespace xcore::te {

// On the CPU, in the options' precision and algorithm; their k is not looked at. Every tuple needs as many allowed neighbours.
std::vector<double> ksg_values(const Embedding& embedding, const xc_te_options& options, const std::vector<int32_t>& neighbours,
                               const Control& control);

}  // namespace xcore::te
