// What every estimator of a network offers: the transfer entropies of many pairs that share targets.
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/control.hpp"
#include "te/network/columns/columns.hpp"

namespace xcore::te {

struct Pair {
  int32_t source, target;
};

// `prepare` makes ready what the targets [from, to) alone determine; the other two then serve pairs of these targets.
class Pairs {
 public:
  virtual ~Pairs() = default;
  // How many targets one preparation should hold, for memory's sake.
  virtual int32_t targets_at_once() const = 0;
  virtual void prepare(int32_t from, int32_t to, const Control& control) = 0;
  // te[(target - from) * variables + source], nats, for all sources; the diagonal and pairs with a constant series are 0.
  virtual void originals(double* te, const Control& control) = 0;
  // te[p * count + m] of pair p with permutation first + m of the source's tuples.
  virtual void surrogates(const Pair* pairs, int64_t pair_count, int32_t first, int32_t count, double* te,
                          const Control& control) = 0;
};

}  // namespace xcore::te
