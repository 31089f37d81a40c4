#if defined(__x86_64__)
#include "thermo/ising/bitsliced/lane_sums.hpp"

namespace xcore::thermo::ising {
const BitslicedKernels bitsliced_avx512{sweep, energies, count};
}  // namespace xcore::thermo::ising
#endif
