#if defined(__x86_64__)
#include <cmath>

#include "thermo/ising/dense/dense_kernel.hpp"

namespace xcore::thermo::ising {
const DenseKernels dense_avx512{sweep, local_fields};
}  // namespace xcore::thermo::ising
#endif
