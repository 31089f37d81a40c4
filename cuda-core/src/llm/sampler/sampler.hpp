// Draws one token from logits.
//
// The distribution, for temperature T > 0:
//   1. order the tokens by (logit descending, id ascending); top_k > 0 keeps the first top_k of them;
//   2. p = softmax(logit / T) over what is kept; top_p < 1 keeps the shortest prefix whose probability is >= top_p
//      (nucleus sampling: Holtzman et al., "The curious case of neural text degeneration", ICLR 2020);
//   3. the draw u in [0, 1) inverts the cumulative distribution of what is left, taken in ascending order of ids.
// T = 0 takes the largest logit, the lowest id on ties.
//
// logprob is the log-softmax of the raw logits at the chosen id over the whole vocabulary: it does not depend on T,
// top_k or top_p, so that it measures the model's certainty and not the sampler's.
//
// -inf is a legal logit (the token is forbidden). NaN, +inf or nothing but -inf is Error(XC_INVALID_FORMAT): only
// damaged weights produce them.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/cpu_features.hpp"
#include "runtime/error.hpp"

namespace xcore::llm {

struct Sampling {
  double temperature = 0;  // >= 0, finite
  int32_t top_k = 0;       // 0 is off
  double top_p = 1;        // (0, 1]
};

struct Sampled {
  int32_t id;
  float logprob;
};

// Throws invalid_argument naming the field that is out of its range.
void check_sampling(const Sampling& sampling);

// The definition: sorts everything.
Sampled sample_ref(const float* logits, int32_t count, const Sampling& sampling, double u);

// The same without a sort of the whole vocabulary, with weights in float: another choice only where u or top_p falls
// within rounding of a boundary. One object per thread: it keeps its memory.
class Sampler {
 public:
  Sampled sample(const float* logits, int32_t count, const Sampling& sampling, double u,
                 CpuLevel level = cpu_features().level);

 private:
  void keep_nucleus(const float* logits, double wanted);

  std::vector<float> weights_;  // exp((logit - max) / T), by id
  std::vector<int32_t> kept_;
};

}  // namespace xcore::llm
