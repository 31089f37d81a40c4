#include <algorithm>
#include <cmath>
#include <vector>

#include "llm/attention/attention.hpp"
#include "llm/half/half.hpp"

namespace xcore::llm {

void attention_ref(const AttentionShape& s, const float* q, const uint16_t* k_cache, const uint16_t* v_cache,
                   float* out) {
  const int64_t kv_width = static_cast<int64_t>(s.kv_heads) * s.head_dim;
  for (int64_t t = 0; t < s.tokens; ++t)
    for (int64_t h = 0; h < s.heads; ++h) {
      const float* query = q + (t * s.heads + h) * s.head_dim;
      const int64_t column = h / (s.heads / s.kv_heads) * s.head_dim;
      std::vector<double> weight(static_cast<size_t>(s.first_position + t + 1));
      for (size_t p = 0; p < weight.size(); ++p) {
        double score = 0;
        for (int32_t i = 0; i < s.head_dim; ++i)
          score += static_cast<double>(query[i]) * float_from_half(k_cache[static_cast<int64_t>(p) * kv_width + column + i]);
        weight[p] = score / std::sqrt(static_cast<double>(s.head_dim));
      }
      const double largest = *std::max_element(weight.begin(), weight.end());
      double total = 0;
      for (double& w : weight) total += w = std::exp(w - largest);
      for (int32_t i = 0; i < s.head_dim; ++i) {
        double sum = 0;
        for (size_t p = 0; p < weight.size(); ++p)
          sum += weight[p] * float_from_half(v_cache[static_cast<int64_t>(p) * kv_width + column + i]);
        out[(t * s.heads + h) * s.head_dim + i] = static_cast<float>(sum / total);
      }
    }
}

}  // namespace xcore::llm
