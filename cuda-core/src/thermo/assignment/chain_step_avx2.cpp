#include "thermo/assignment/chain_step.inl"

namespace xcore::thermo {
int32_t chain_step_avx2(const ChainStep& step) { return chain_step(step); }
}  // namespace xcore::thermo
