// Permutation surrogates: the source's embedded vectors, as whole rows, dealt out anew among the tuples. This breaks
// the link from source to target and keeps both the target's dynamics and the distribution of the source vectors.
#pragma once

#include <cstdint>
#include <vector>

namespace xcore::te {

// Permutation number `index` of a seed: a Fisher-Yates shuffle of 0..n-1 with the Philox stream `index`. A pure
// function of (seed, index, n).
void permutation(uint64_t seed, uint64_t index, int64_t n, int32_t* out);

struct Significance {
  double mean;     // NaN without values
  double std;      // n - 1; NaN with fewer than two
  double p_value;  // (1 + #(value >= te)) / (1 + values); NaN without
};
Significance significance(double te, const std::vector<double>& surrogates);

}  // namespace xcore::te
