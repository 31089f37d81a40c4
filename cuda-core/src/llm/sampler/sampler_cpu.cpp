#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "llm/sampler/sampler.hpp"
#include "runtime/device.hpp"

namespace xcore::llm {

namespace {

struct Peak {
  int32_t id;
  float logit;
};

Peak checked_peak(const float* logits, int32_t count) {
  Peak peak{-1, -std::numeric_limits<float>::infinity()};
  bool sane = true;
  for (int32_t i = 0; i < count; ++i) {
    sane &= logits[i] < std::numeric_limits<float>::infinity();  // false for NaN as well
    if (logits[i] > peak.logit) peak = {i, logits[i]};
  }
  if (!sane || peak.id < 0)
    throw Error(XC_INVALID_FORMAT, "the model's logits are not finite numbers; its weights are damaged", "logits");
  return peak;
}

}  // namespace

Sampled Sampler::sample(const float* logits, int32_t count, const Sampling& sampling, double u) {
  trace::OpTimer timer("llm.sample", kCpu, static_cast<uint64_t>(count) * sizeof(float));
  const Peak peak = checked_peak(logits, count);
  const double top = peak.logit;
  double sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += std::exp(logits[i] - top);
  const double log_sum = std::log(sum);
  const auto chosen = [&](int32_t id) { return Sampled{id, static_cast<float>(logits[id] - top - log_sum)}; };
  if (sampling.temperature == 0) return chosen(peak.id);

  const auto before = [&](int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  };
  const bool all = sampling.top_k == 0 || sampling.top_k >= count;
  std::vector<int32_t>& kept = heap_;
  kept.resize(static_cast<size_t>(count));
  std::iota(kept.begin(), kept.end(), 0);
  if (!all) {
    std::nth_element(kept.begin(), kept.begin() + (sampling.top_k - 1), kept.end(), before);
    kept.resize(static_cast<size_t>(sampling.top_k));
    std::sort(kept.begin(), kept.end());
  }
  weights_.resize(static_cast<size_t>(count));
  double total = 0;
  for (const int32_t id : kept) total += weights_[id] = std::exp((logits[id] - top) / sampling.temperature);

  if (sampling.top_p < 1) {
    // Popping the nucleus off a heap costs O(n + k log n); nuclei are small.
    const auto after = [&](int32_t a, int32_t b) { return before(b, a); };
    std::make_heap(kept.begin(), kept.end(), after);
    const double wanted = sampling.top_p * total;
    double cumulative = 0;
    auto end = kept.end();
    while (end != kept.begin() && (end == kept.end() || cumulative < wanted)) {
      std::pop_heap(kept.begin(), end, after);
      cumulative += weights_[*--end];
    }
    kept.erase(kept.begin(), end);
    std::sort(kept.begin(), kept.end());
    total = 0;
    for (const int32_t id : kept) total += weights_[id];
  }

  const double target = u * total;
  double cumulative = 0;
  int32_t last = peak.id;
  for (const int32_t id : kept) {
    if (weights_[id] == 0) continue;
    cumulative += weights_[id];
    last = id;
    if (cumulative > target) break;
  }
  return chosen(last);
}

}  // namespace xcore::llm
