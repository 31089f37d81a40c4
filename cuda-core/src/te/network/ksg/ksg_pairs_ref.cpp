// The definition: every pair by itself.
#include "te/ksg/ksg.hpp"
#include "te/network/ksg/ksg_pairs.hpp"

namespace xcore::te {
namespace {

class KsgPairsRef final : public Pairs {
 public:
  explicit KsgPairsRef(const KsgPairsProblem& problem)
      : p_(problem), c_(*problem.columns), psi_(digamma_table(c_.n + 1)) {}
  int32_t targets_at_once() const override { return c_.variables; }
  void prepare(int32_t from, int32_t to, const Control&) override { from_ = from, to_ = to; }
  void originals(double* te, const Control& control) override {
    for (int32_t y = from_; y < to_; ++y)
      for (int32_t x = 0; x < c_.variables; ++x) *te++ = value({x, y}, nullptr, control);
  }
  void surrogates(const Pair* pairs, int64_t pair_count, int32_t first, int32_t count, double* te, const Control& control) override {
    for (int64_t p = 0; p < pair_count; ++p)
      for (int32_t m = 0; m < count; ++m) *te++ = value(pairs[p], p_.permutations + (first + m) * c_.n, control);
  }

 private:
  double value(Pair pair, const int32_t* permutation, const Control& control) const {
    control.throw_if_cancelled();
    if (c_.nothing(pair.source, pair.target)) return 0;
    KsgProblem problem;
    problem.n = c_.n;
    problem.future = c_.future_of(pair.target), problem.past = c_.past_of(pair.target), problem.source = c_.source_of(pair.source);
    problem.future_dims = 1, problem.past_dims = c_.past_dims, problem.source_dims = c_.source_dims;
    problem.k = p_.k, problem.theiler = p_.theiler;
    std::vector<KsgCounts> counts(c_.n);
    ksg_counts_ref(problem, permutation, counts.data());
    double sum = 0;
    for (const KsgCounts& m : counts) sum += psi_[m.past + 1] - psi_[m.source_past + 1] - psi_[m.future_past + 1];
    return psi_[p_.k] + sum / static_cast<double>(c_.n);
  }

  const KsgPairsProblem p_;
  const Columns& c_;
  const std::vector<double> psi_;
  int32_t from_ = 0, to_ = 0;
};

}  // namespace

std::unique_ptr<Pairs> ksg_pairs_ref(const KsgPairsProblem& problem) { return std::make_unique<KsgPairsRef>(problem); }

}  // namespace xcore::te
