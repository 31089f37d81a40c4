#include <cmath>

#include "llm/quantize/quantize.hpp"

namespace xcore::llm {

void quantize_rows_ref(const float* x, int64_t rows, int32_t columns, QuantizedRows out) {
  for (int64_t block = 0; block < rows * (columns / 32); ++block) {
    const float* in = x + block * 32;
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::fmax(largest, std::fabs(in[i]));
    const bool zero = largest < 0x1.0p-100f;
    const float inverse = zero ? 0.0f : 127.0f / largest;
    out.scale[block] = zero ? 0.0f : largest / 127.0f;
    for (int i = 0; i < 32; ++i) {
      const float product = in[i] * inverse;
      out.q[block * 32 + i] = static_cast<int8_t>(std::nearbyint(product));  // default mode: ties to even
    }
  }
}

}  // namespace xcore::llm
