#include <cmath>
#include <limits>

#include "llm/logprob/logprob.hpp"

namespace xcore::llm {

static double value(float logit) { return std::isnan(logit) ? -std::numeric_limits<double>::infinity() : logit; }

// The largest logit, its lowest id, and the logarithm of the sum of exp(logit - largest).
static int32_t normaliser(const float* logits, int32_t count, double& largest, double& log_sum) {
  int32_t best = 0;
  for (int32_t i = 1; i < count; ++i)
    if (value(logits[i]) > value(logits[best])) best = i;
  largest = value(logits[best]);
  double sum = 0;
  // Equal values count as exp(0) even when they are infinite.
  for (int32_t i = 0; i < count; ++i)
    sum += std::isnan(logits[i]) ? logits[i] : value(logits[i]) == largest ? 1.0 : std::exp(value(logits[i]) - largest);
  log_sum = std::log(sum);
  return best;
}

BestToken best_token_ref(const float* logits, int32_t count) {
  double largest, log_sum;
  const int32_t best = normaliser(logits, count, largest, log_sum);
  return {best, static_cast<float>(-log_sum)};
}

void log_softmax_ref(const float* logits, int32_t count, float* out) {
  double largest, log_sum;
  normaliser(logits, count, largest, log_sum);
  for (int32_t i = 0; i < count; ++i) {
    const double v = value(logits[i]);
    out[i] = static_cast<float>((v == largest ? 0.0 : v - largest) - log_sum);
  }
}

}  // namespace xcore::llm
