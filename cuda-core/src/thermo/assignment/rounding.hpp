// A first solution from the multipliers of the relaxation: every job goes to its cheapest agent, then the cheapest moves
// mend what exceeds a limit, then moves that lower the cost use what room is left. With many more jobs than limits few
// jobs have to move, and the result is within a hair of the bound.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "thermo/assignment/reduced.hpp"

namespace xcore::thermo {

// May still exceed limits when moves of single jobs cannot mend them.
std::vector<int32_t> round_relaxation(const ReducedModel& reduced, const std::function<bool()>& stop);

}  // namespace xcore::thermo
