#if defined(__x86_64__)
#include "thermo/ising/single_spin/sweep_lanes.hpp"

namespace xcore::thermo::ising {
void sweep_lanes_avx2(const SweepModel& m, const LaneBlock& b) { sweep_lanes(m, b); }
}  // namespace xcore::thermo::ising
#endif
