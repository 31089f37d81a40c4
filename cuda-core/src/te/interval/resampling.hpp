// What is drawn anew to learn how an estimate strays and how far it is off.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "te/estimate/estimator.hpp"

namespace xcore::te {

// Values of random halves of the tuples. The tuples are cut in up to 32 blocks of time, which are dealt at random to two halves,
// kPairs times. Half the differences of the halves' values have the variance of the whole's (P. J. McCarthy, "Pseudo-replication:
// half samples", Rev. Int. Stat. Inst. 37, 239 (1969); in blocks for dependence in time). Bootstrap would not do: repeated
// tuples have distance 0.
class Halves {
 public:
  static constexpr int kPairs = 12;
  // Needs at least four tuples. `values_of` gives `many` values; it is called from several threads.
  Halves(const Embedding& embedding, uint64_t seed, size_t many, const std::function<std::vector<double>(const Embedding&)>& values_of);
  // Of the whole's weighted values.
  double variance(const std::vector<double>& weights) const;
  // Of value i over all halves.
  double mean(size_t i) const;
  // Fewest tuples that a half can have.
  static int64_t tuples(int64_t n);

 private:
  size_t many_;
  std::vector<double> values_;  // of half h of pair p from (2 p + h) * many on
};

// The rows of source `index` that tells nothing of the target but keeps its own dynamics: all rows moved round a circle, see
// surrogates.hpp.
std::vector<int32_t> moved_rows(const xc_te_options& options, int64_t n, int index);

}  // namespace xcore::te
