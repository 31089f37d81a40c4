#include <algorithm>
#include <cmath>

#include "llm/rms_norm/rms_norm_kernels.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

static void rms_norm_row_portable(const float* x, const float* weight, int32_t width, float eps, float* out) {
  double squares = 0;
  for (int32_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
  const float factor = static_cast<float>(1.0 / std::sqrt(squares / width + eps));
  for (int32_t i = 0; i < width; ++i) out[i] = x[i] * factor * weight[i];
}

void rms_norm_cpu(const float* x, const float* weight, int32_t rows, int32_t width, float eps, float* out, CpuLevel level) {
  auto kernel = rms_norm_row_portable;
#if defined(__x86_64__)
  if (level >= CpuLevel::avx2) kernel = rms_norm_row_avx2;
#endif
  const trace::OpTimer timer("llm.rms_norm", kCpu, static_cast<uint64_t>(rows) * static_cast<uint64_t>(width) * 8);
  thread_pool().parallel_for(rows, std::max(1, 65536 / width), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) kernel(x + r * width, weight, width, eps, out + r * width);
  });
}

}  // namespace xcore::llm
