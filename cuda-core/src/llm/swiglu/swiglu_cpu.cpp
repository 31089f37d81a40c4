#include <cmath>

#include "llm/swiglu/swiglu_kernels.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

static void swiglu_range_portable(const float* gate, const float* up, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

void swiglu_cpu(const float* gate, const float* up, int64_t count, float* out, CpuLevel level) {
  auto kernel = swiglu_range_portable;
#if defined(__x86_64__)
  if (level >= CpuLevel::avx2) kernel = swiglu_range_avx2;
#endif
  const trace::OpTimer timer("llm.swiglu", kCpu, static_cast<uint64_t>(count) * 12);
  thread_pool().parallel_for(count, 32768, [&](int64_t begin, int64_t end) {
    kernel(gate + begin, up + begin, end - begin, out + begin);
  });
}

}  // namespace xcore::llm
