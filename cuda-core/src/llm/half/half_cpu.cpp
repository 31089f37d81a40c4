#include "llm/half/half.hpp"
#include "llm/half/half_rows.hpp"

namespace xcore::llm {

void to_half_cpu(const float* x, int64_t count, uint16_t* out, CpuLevel level) {
#if defined(__x86_64__)
  if (level >= CpuLevel::avx2) return to_half_avx2(x, count, out);
#endif
  for (int64_t i = 0; i < count; ++i) out[i] = half_from_float(x[i]);
}

}  // namespace xcore::llm
