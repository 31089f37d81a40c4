#include <algorithm>
#include <cmath>

#include "runtime/error.hpp"
#include "runtime/thread_pool.hpp"
#include "te/embedding/embedding.hpp"
#include "te/network/binned/binned_pairs.hpp"

namespace xcore::te {

void bin_series(const double* x, int64_t samples, int32_t bins, bool equal_frequency, uint8_t* out) {
  if (equal_frequency) {
    std::vector<double> sorted(x, x + samples), cuts(bins);
    std::sort(sorted.begin(), sorted.end());
    for (int32_t i = 0; i < bins; ++i) cuts[i] = sorted[std::max<int64_t>((i + 1) * samples / bins, 1) - 1];
    for (int64_t t = 0; t < samples; ++t)
      out[t] = static_cast<uint8_t>(std::min<int64_t>(std::lower_bound(cuts.begin(), cuts.end(), x[t]) - cuts.begin(), bins - 1));
    return;
  }
  double least = x[0], most = x[0];
  for (int64_t t = 1; t < samples; ++t) least = std::min(least, x[t]), most = std::max(most, x[t]);
  const double width = (most - least) / bins;
  for (int64_t t = 0; t < samples; ++t)
    out[t] = static_cast<uint8_t>(width > 0 && std::isfinite(width) ? std::min<double>(std::floor((x[t] - least) / width), bins - 1) : 0);
}

BinnedShape binned_shape(int64_t samples, const xc_te_options& o, int32_t bins) {
  if (bins < 2 || bins > kMaxBins) throw invalid_argument("bins", "bins is %d and must lie in 2..%d", bins, kMaxBins);
  const auto shape = embedding_shape(samples, o);
  int64_t past = 1, source = 1;
  for (int h = 0; h < o.target_history && past <= kMaxBinnedStates; ++h) past *= bins;
  for (int h = 0; h < o.source_history && source <= kMaxBinnedStates; ++h) source *= bins;
  if (past > kMaxBinnedStates || source > kMaxBinnedStates || past * source * bins > kMaxBinnedStates)
    throw invalid_argument("bins", "%d bins with histories %d and %d make more than 2^24 joint states; take fewer bins or shorter histories",
                           bins, o.target_history, o.source_history);
  return {shape.tuples, shape.first, static_cast<uint32_t>(past), static_cast<uint32_t>(source)};
}

BinnedColumns binned_columns(const double* values, int32_t variables, int64_t samples, const xc_te_options& o, int32_t bins,
                             bool equal_frequency) {
  const BinnedShape shape = binned_shape(samples, o, bins);
  BinnedColumns c;
  c.variables = variables;
  c.n = shape.n;
  c.bins = bins;
  c.past_states = shape.past_states;
  c.source_states = shape.source_states;
  c.target.resize(static_cast<size_t>(variables) * c.n);
  c.source.resize(static_cast<size_t>(variables) * c.n);
  c.constant.resize(variables);
  const int64_t t0 = shape.first - 1;
  thread_pool().parallel_for(variables, 4, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> bin(samples);
    for (int64_t v = begin; v < end; ++v) {
      const double* x = values + v * samples;
      bin_series(x, samples, bins, equal_frequency, bin.data());
      c.constant[v] = std::all_of(x, x + samples, [&](double value) { return value == x[0]; });
      for (int64_t i = 0; i < c.n; ++i) {
        const int64_t t = t0 + i;
        uint32_t p = 0, s = 0;
        for (int h = 0; h < o.target_history; ++h) p = p * bins + bin[t - static_cast<int64_t>(h) * o.target_tau];
        for (int h = 0; h < o.source_history; ++h) s = s * bins + bin[t + 1 - o.delay - static_cast<int64_t>(h) * o.source_tau];
        c.target[v * c.n + i] = bin[t + 1] * c.past_states + p;
        c.source[v * c.n + i] = s;
      }
    }
  });
  return c;
}

namespace {

class BinnedPairsCpu final : public Pairs {
 public:
  BinnedPairsCpu(const BinnedColumns& columns, const int32_t* permutations)
      : c_(columns), permutations_(permutations), logs_(c_.n + 1, 0.0), joint_(c_.past_states * c_.source_states) {
    for (int64_t m = 2; m <= c_.n; ++m) logs_[m] = static_cast<double>(m) * std::log(static_cast<double>(m));
  }
  int32_t targets_at_once() const override { return 64; }

  void prepare(int32_t from, int32_t to, const Control& control) override {
    from_ = from, to_ = to;
    part_.resize(to - from);
    thread_pool().parallel_for(to - from, 1, [&](int64_t begin, int64_t end) {
      std::vector<uint32_t> alone(c_.past_states), joint(static_cast<size_t>(c_.bins) * c_.past_states);
      for (int64_t y = from + begin; y < from + end; ++y) {
        control.throw_if_cancelled();
        const uint32_t* target = c_.target.data() + y * c_.n;
        std::fill(alone.begin(), alone.end(), 0);
        std::fill(joint.begin(), joint.end(), 0);
        for (int64_t t = 0; t < c_.n; ++t) ++alone[target[t] % c_.past_states], ++joint[target[t]];
        double sum = 0;
        for (const uint32_t m : alone) sum += logs_[m];
        for (const uint32_t m : joint) sum -= logs_[m];
        part_[y - from] = sum;
      }
    });
  }

  void originals(double* te, const Control& control) override {
    thread_pool().parallel_for(to_ - from_, 1, [&](int64_t begin, int64_t end) {
      std::vector<uint32_t> counts(static_cast<size_t>(joint_) * c_.bins);
      for (int64_t target = begin; target < end; ++target) {
        control.throw_if_cancelled();
        const int32_t y = from_ + static_cast<int32_t>(target);
        for (int32_t x = 0; x < c_.variables; ++x) te[target * c_.variables + x] = x == y ? 0.0 : value({x, y}, nullptr, counts.data());
      }
    });
  }

  void surrogates(const Pair* pairs, int64_t pair_count, int32_t first, int32_t count, double* te, const Control& control) override {
    thread_pool().parallel_for(pair_count, 1, [&](int64_t begin, int64_t end) {
      std::vector<uint32_t> counts(static_cast<size_t>(joint_) * c_.bins);
      for (int64_t p = begin; p < end; ++p) {
        control.throw_if_cancelled();
        for (int32_t m = 0; m < count; ++m) te[p * count + m] = value(pairs[p], permutations_ + (first + m) * c_.n, counts.data());
      }
    });
  }

 private:
  double value(Pair pair, const int32_t* permutation, uint32_t* counts) const {
    if (c_.constant[pair.source] || c_.constant[pair.target]) return 0;  // exactly, whatever the sums below would round to
    const uint32_t* target = c_.target.data() + static_cast<int64_t>(pair.target) * c_.n;
    const uint32_t* source = c_.source.data() + static_cast<int64_t>(pair.source) * c_.n;
    std::fill_n(counts, static_cast<size_t>(joint_) * c_.bins, 0);
    if (permutation) {
      for (int64_t t = 0; t < c_.n; ++t) ++counts[target[t] * c_.source_states + source[permutation[t]]];
    } else {
      for (int64_t t = 0; t < c_.n; ++t) ++counts[target[t] * c_.source_states + source[t]];
    }
    double sum = part_[pair.target - from_];
    for (uint32_t m = 0; m < joint_; ++m) {
      uint32_t total = 0;
      for (uint32_t f = 0; f < c_.bins; ++f) {
        const uint32_t c = counts[f * joint_ + m];
        total += c;
        sum += logs_[c];
      }
      sum -= logs_[total];
    }
    return sum / static_cast<double>(c_.n);
  }

  const BinnedColumns& c_;
  const int32_t* permutations_;
  std::vector<double> logs_;  // c ln c
  const uint32_t joint_;      // states of (P, S)
  std::vector<double> part_;  // of the targets alone
  int32_t from_ = 0, to_ = 0;
};

}  // namespace

std::unique_ptr<Pairs> binned_pairs_cpu(const BinnedColumns& columns, const int32_t* permutations) {
  return std::make_unique<BinnedPairsCpu>(columns, permutations);
}

}  // namespace xcore::te
