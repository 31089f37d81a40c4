#if defined(__x86_64__)
#include "thermo/ising/bitsliced/lane_sums.hpp"

namespace xcore::thermo::ising {
const BitslicedKernels bitsliced_avx2{sweep, energies, count};
}  // namespace xcore::thermo::ising
#endif
