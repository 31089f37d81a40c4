#include <algorithm>
#include <cmath>
#include <limits>

#include "llm/sampler/sampler.hpp"
#include "llm/sampler/sampler_kernels.hpp"
#include "runtime/device.hpp"

namespace xcore::llm {

float checked_max_portable(const float* logits, int32_t count) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  float top = -infinity;
  bool sane = true;
  for (int32_t i = 0; i < count; ++i) {
    sane &= logits[i] < infinity;  // false for NaN
    top = logits[i] > top ? logits[i] : top;
  }
  return sane ? top : std::numeric_limits<float>::quiet_NaN();
}

double exp_weights_portable(const float* logits, int32_t count, float top, float scale, float* out) {
  double sum = 0;
  for (int32_t i = 0; i < count; ++i) {
    const float w = std::exp((logits[i] - top) * scale);
    if (out) out[i] = w;
    sum += static_cast<double>(w);
  }
  return sum;
}

// The ids of the k best, ascending. A heap of the k best so far: nearly every token fails the one comparison.
static void select_top_k(const float* logits, int32_t count, int32_t k, std::vector<int32_t>& kept) {
  const auto before = [&](int32_t a, int32_t b) { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); };
  kept.resize(static_cast<size_t>(k));
  for (int32_t i = 0; i < k; ++i) kept[static_cast<size_t>(i)] = i;
  std::make_heap(kept.begin(), kept.end(), before);  // the worst in front
  for (int32_t i = k; i < count; ++i) {
    if (!(logits[i] > logits[kept.front()])) continue;  // of equal logits the earlier id stays
    std::pop_heap(kept.begin(), kept.end(), before);
    kept.back() = i;
    std::push_heap(kept.begin(), kept.end(), before);
  }
  std::sort(kept.begin(), kept.end());
}

// The shortest prefix, by (logit descending, id ascending), that weighs `wanted` or more; ascending ids.
void Sampler::keep_nucleus(const float* logits, double wanted) {
  const auto after = [&](int32_t a, int32_t b) { return logits[a] < logits[b] || (logits[a] == logits[b] && a > b); };
  std::make_heap(kept_.begin(), kept_.end(), after);
  double cumulative = 0;
  auto end = kept_.end();
  while (end != kept_.begin() && (end == kept_.end() || cumulative < wanted)) {
    std::pop_heap(kept_.begin(), end, after);
    cumulative += static_cast<double>(weights_[static_cast<size_t>(*--end)]);
  }
  kept_.erase(kept_.begin(), end);
  std::sort(kept_.begin(), kept_.end());
}

Sampled Sampler::sample(const float* logits, int32_t count, const Sampling& sampling, double u, CpuLevel level) {
  const trace::OpTimer timer("llm.sample", kCpu, static_cast<uint64_t>(count) * sizeof(float));
  auto checked_max = checked_max_portable;
  auto exp_weights = exp_weights_portable;
#if defined(__x86_64__)
  if (level >= CpuLevel::avx2) {
    checked_max = checked_max_avx2;
    exp_weights = exp_weights_avx2;
  }
#else
  static_cast<void>(level);
#endif
  const float top = checked_max(logits, count);
  if (!std::isfinite(top))
    throw Error(XC_INVALID_FORMAT, "the model's logits are not finite numbers; its weights are damaged", "logits");

  const auto chosen = [&](int32_t id, double raw_sum) {
    return Sampled{id, static_cast<float>(static_cast<double>(logits[id]) - static_cast<double>(top) - std::log(raw_sum))};
  };
  if (sampling.temperature == 0) {
    const auto best = static_cast<int32_t>(std::find(logits, logits + count, top) - logits);
    return chosen(best, exp_weights(logits, count, top, 1, nullptr));
  }

  // Logits are floats: below this temperature all that is not tied with the largest has weight 0 already.
  const auto scale = static_cast<float>(1 / std::max(sampling.temperature, 1e-20));
  weights_.resize(static_cast<size_t>(count));
  double total = exp_weights(logits, count, top, scale, weights_.data());
  const double raw_sum = scale == 1 ? total : exp_weights(logits, count, top, 1, nullptr);

  const auto weight = [&](int32_t id) { return static_cast<double>(weights_[static_cast<size_t>(id)]); };
  const auto total_of_kept = [&] {
    double sum = 0;
    for (const int32_t id : kept_) sum += weight(id);
    return sum;
  };
  const bool top_k = sampling.top_k > 0 && sampling.top_k < count;
  if (top_k) {
    select_top_k(logits, count, sampling.top_k, kept_);
    total = total_of_kept();
  }
  if (sampling.top_p < 1) {
    if (!top_k) {
      // What weighs less than this each weighs less than (1 - top_p) * total together: the nucleus is among the rest.
      const auto least = static_cast<float>((1 - sampling.top_p) * total / count);
      kept_.clear();
      for (int32_t i = 0; i < count; ++i) {
        if (weights_[static_cast<size_t>(i)] >= least) kept_.push_back(i);
      }
    }
    keep_nucleus(logits, sampling.top_p * total);
    total = total_of_kept();
  }

  const double target = u * total;
  double cumulative = 0;
  int32_t last = -1;
  const auto passes = [&](int32_t id) {
    if (weight(id) == 0) return false;
    cumulative += weight(id);
    last = id;
    return cumulative > target;
  };
  if (top_k || sampling.top_p < 1) {
    for (const int32_t id : kept_) {
      if (passes(id)) break;
    }
  } else {
    for (int32_t id = 0; id < count; ++id) {
      if (passes(id)) break;
    }
  }
  return chosen(last, raw_sum);
}

}  // namespace xcore::llm
