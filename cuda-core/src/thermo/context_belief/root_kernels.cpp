#include "thermo/context_belief/root_kernels.inl"

namespace xcore::thermo {
const RootKernels kRootKernelsPortable = {across, times, lower, dot};
}  // namespace xcore::thermo
