#if defined(__x86_64__)
#include "thermo/ising/bitsliced/bitsliced_kernel.hpp"

namespace xcore::thermo::ising {
void bitsliced_sweep_avx512(const BitslicedProgram& p, LaneRow* rows, LaneRandom& r, const LaneThresholds& t, LaneRow* scratch) {
  sweep(p, rows, r, t, scratch);
}
}  // namespace xcore::thermo::ising
#endif
