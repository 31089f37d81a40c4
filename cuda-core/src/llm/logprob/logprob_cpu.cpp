#include <cmath>
#include <limits>

#include "llm/logprob/logprob_kernels.hpp"
#include "runtime/device.hpp"

namespace xcore::llm {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

static int32_t argmax_portable(const float* logits, int32_t count) {
  int32_t best = 0;
  float largest = std::isnan(logits[0]) ? -kInfinity : logits[0];
  for (int32_t i = 1; i < count; ++i)
    if (logits[i] > largest) {
      largest = logits[i];
      best = i;
    }
  return best;
}

static double sum_exp_portable(const float* logits, int32_t count, float largest) {
  double sum = 0;
  for (int32_t i = 0; i < count; ++i)
    sum += std::exp(logits[i] - largest);
  return sum;
}

static int32_t normaliser(const float* logits, int32_t count, CpuLevel level, float& largest, double& log_sum) {
  auto argmax = argmax_portable;
  auto sum_exp = sum_exp_portable;
#if defined(__x86_64__)
  if (level >= CpuLevel::avx2) {
    argmax = argmax_avx2;
    sum_exp = sum_exp_avx2;
  }
#endif
  const int32_t best = argmax(logits, count);
  largest = std::isnan(logits[best]) ? -kInfinity : logits[best];
  if (std::isinf(largest)) {  // the infinite ones share the probability
    double ties = 0;
    for (int32_t i = 0; i < count; ++i) ties += std::isnan(logits[i]) ? logits[i] : logits[i] == largest;
    log_sum = std::log(ties);
  } else {
    log_sum = std::log(sum_exp(logits, count, largest));
  }
  return best;
}

BestToken best_token_cpu(const float* logits, int32_t count, CpuLevel level) {
  const trace::OpTimer timer("llm.best_token", kCpu, static_cast<uint64_t>(count) * 4);
  float largest;
  double log_sum;
  const int32_t best = normaliser(logits, count, level, largest, log_sum);
  return {best, static_cast<float>(-log_sum)};
}

void log_softmax_cpu(const float* logits, int32_t count, float* out, CpuLevel level) {
  const trace::OpTimer timer("llm.log_softmax", kCpu, static_cast<uint64_t>(count) * 8);
  float largest;
  double log_sum;
  normaliser(logits, count, level, largest, log_sum);
  for (int32_t i = 0; i < count; ++i) {
    const float v = std::isnan(logits[i]) ? -kInfinity : logits[i];
    out[i] = static_cast<float>((v == largest ? 0.0 : static_cast<double>(v) - largest) - log_sum);
  }
}

}  // namespace xcore::llm
