#include "thermo/context_belief/root_kernels.inl"

namespace xcore::thermo {
const RootKernels kRootKernelsAvx512 = {across, times, lower, dot};
}  // namespace xcore::thermo
