#if defined(__x86_64__)
#include "thermo/ising/bitsliced/bitsliced_kernel.hpp"

namespace xcore::thermo::ising {
void bitsliced_sweep_avx2(const BitslicedProgram& p, LaneRow* rows, LaneRandom& r, const LaneThresholds& t, LaneRow* scratch,
                          int32_t first, int32_t last) {
  sweep(p, rows, r, t, scratch, first, last);
}
}  // namespace xcore::thermo::ising
#endif
