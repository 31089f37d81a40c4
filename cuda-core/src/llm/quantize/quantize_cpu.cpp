#include <algorithm>
#include <cmath>

#include "llm/quantize/quantize_kernels.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

static void quantize_blocks_portable(const float* x, int64_t blocks, int8_t* q, float* scale) {
  for (int64_t b = 0; b < blocks; ++b, x += 32, q += 32) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
    const bool zero = largest < 0x1.0p-100f;
    const float inverse = zero ? 0.0f : 127.0f / largest;
    scale[b] = zero ? 0.0f : largest / 127.0f;
    // Adding 1.5 * 2^23 leaves the nearest integer, ties to even, in the lowest bits of the sum.
    for (int i = 0; i < 32; ++i) {
      const float shifted = x[i] * inverse + 12582912.0f;
      int32_t bits;
      __builtin_memcpy(&bits, &shifted, 4);
      q[i] = static_cast<int8_t>(bits - 0x4B400000);
    }
  }
}

void quantize_rows_cpu(const float* x, int64_t rows, int32_t columns, QuantizedRows out, CpuLevel level) {
  auto kernel = quantize_blocks_portable;
#if defined(__x86_64__)
  if (level >= CpuLevel::avx2) kernel = quantize_blocks_avx2;
#endif
  const int64_t blocks = rows * (columns / 32);
  const trace::OpTimer timer("llm.quantize", kCpu, static_cast<uint64_t>(blocks) * (32 * 5 + 4));
  thread_pool().parallel_for(blocks, 4096, [&](int64_t begin, int64_t end) {
    kernel(x + begin * 32, end - begin, out.q + begin * 32, out.scale + begin);
  });
}

}  // namespace xcore::llm
