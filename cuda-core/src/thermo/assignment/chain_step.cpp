#include "thermo/assignment/chain_step.inl"

namespace xcore::thermo {
int32_t chain_step_portable(const ChainStep& step) { return chain_step(step); }
}  // namespace xcore::thermo
