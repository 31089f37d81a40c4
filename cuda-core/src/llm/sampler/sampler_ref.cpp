#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "llm/sampler/sampler.hpp"

namespace xcore::llm {

void check_sampling(const Sampling& s) {
  if (!(s.temperature >= 0) || !std::isfinite(s.temperature))
    throw invalid_argument("temperature", "temperature is %g; it must be a finite number from 0", s.temperature);
  if (s.top_k < 0) throw invalid_argument("topK", "topK is %d; it must be 0 (off) or more", s.top_k);
  if (!(s.top_p > 0 && s.top_p <= 1))
    throw invalid_argument("topP", "topP is %g; it must be above 0 and at most 1 (off)", s.top_p);
}

static void check_logits(const float* logits, int32_t count) {
  bool any = false;
  for (int32_t i = 0; i < count; ++i) {
    const float l = logits[i];
    if (std::isnan(l) || l == std::numeric_limits<float>::infinity())
      throw error(XC_INVALID_FORMAT, "logits", -1, "the model's logit of token %d is %s; its weights are damaged", i,
                  std::isnan(l) ? "not a number" : "infinite");
    any = any || std::isfinite(l);
  }
  if (!any)
    throw Error(XC_INVALID_FORMAT, "all of the model's logits are -infinity; its weights are damaged", "logits");
}

Sampled sample_ref(const float* logits, int32_t count, const Sampling& sampling, double u) {
  check_logits(logits, count);
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });

  const double top = logits[order[0]];
  double sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += std::exp(logits[i] - top);
  const auto chosen = [&](int32_t id) { return Sampled{id, static_cast<float>(logits[id] - top - std::log(sum))}; };
  if (sampling.temperature == 0) return chosen(order[0]);

  if (sampling.top_k > 0 && sampling.top_k < count) order.resize(static_cast<size_t>(sampling.top_k));
  const auto weight = [&](int32_t id) { return std::exp((logits[id] - top) / sampling.temperature); };
  const auto total_of = [&](std::vector<int32_t> ids) {
    std::sort(ids.begin(), ids.end());
    return std::accumulate(ids.begin(), ids.end(), 0.0, [&](double s, int32_t id) { return s + weight(id); });
  };
  if (sampling.top_p < 1) {
    const double wanted = sampling.top_p * total_of(order);
    double cumulative = 0;
    size_t kept = 0;
    while (kept < order.size() && (kept == 0 || cumulative < wanted)) cumulative += weight(order[kept++]);
    order.resize(kept);
  }
  const double target = u * total_of(order);
  std::sort(order.begin(), order.end());
  double cumulative = 0;
  int32_t last = -1;
  for (const int32_t id : order) {
    const double w = weight(id);
    if (w == 0) continue;
    cumulative += w;
    last = id;
    if (cumulative > target) break;
  }
  return chosen(last);
}

}  // namespace xcore::llm
