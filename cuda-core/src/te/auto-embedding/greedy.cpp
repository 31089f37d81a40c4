#include "te/auto-embedding/greedy.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "te/estimate/estimator.hpp"
#include "te/surrogates/surrogates.hpp"

namespace xcore::te {
namespace {

constexpr int kDraws = 100;   // shuffled copies of each candidate
constexpr int kReached = 5;   // of which the best may reach the candidate so often at most
constexpr uint64_t kDrawStream = uint64_t{1} << 42;

class Selection {
 public:
  Selection(const Series& series, const xc_te_options& o, int64_t span, const Control& control)
      : series_(series), o_(o), span_(span), control_(control) {
    o_.bias_correction = 1;
    o_.surrogate_method = XC_TE_PERMUTATION;
    chosen_.conditions = given_lags(o, series.conditions.variables).conditions;
  }

  // Adds lags of `from` to the chosen ones while they tell something new of the target's next value.
  void select(const xc_te_series& from, std::vector<int64_t> candidates, std::vector<int64_t>& into, size_t most) {
    for (int round = 0; !candidates.empty() && into.size() < most; ++round) {
      std::vector<Embedding> embeddings;
      std::vector<std::unique_ptr<Estimator>> estimators;
      std::vector<double> values(candidates.size());
      for (const int64_t lag : candidates) embeddings.push_back(with(from, lag));
      for (size_t c = 0; c < candidates.size(); ++c) {
        control_.throw_if_cancelled();
        estimators.push_back(make_estimator(embeddings[c], o_, kCpu));
        values[c] = estimators[c]->value(nullptr, control_);
      }
      const size_t best = static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
      const int64_t n = embeddings[best].n;
      std::vector<double> largest(kDraws, -std::numeric_limits<double>::infinity());
      Scratch<int32_t> rows(static_cast<size_t>(kDraws) * n);
      for (int d = 0; d < kDraws; ++d)
        surrogate_rows(o_, kDrawStream + static_cast<uint64_t>(round) * kDraws + static_cast<uint64_t>(d), n, rows.data() + d * n);
      std::vector<double> drawn(kDraws);
      for (const auto& estimator : estimators) {
        estimator->permuted(rows.data(), kDraws, drawn.data(), control_);
        for (int d = 0; d < kDraws; ++d) largest[d] = std::max(largest[d], drawn[d]);
      }
      const auto reached = std::count_if(largest.begin(), largest.end(), [&](double v) { return v >= values[best]; });
      if (reached >= kReached) break;
      into.push_back(candidates[best]);
      candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(best));
    }
    std::sort(into.begin(), into.end());
  }

  Lags chosen_;
  std::vector<int64_t> source_;  // chosen source lags, part of P while others are tried

 private:
  // S = the candidate alone; P = what was chosen of target, source and conditions. All candidates see the same tuples.
  Embedding with(const xc_te_series& from, int64_t lag) const {
    Lags lags = chosen_;
    lags.source = {lag};
    Series s = series_;
    s.source = from;
    // The chosen source lags condition like further series.
    std::vector<double> conditions(series_.conditions.values, series_.conditions.values + series_.conditions.variables * series_.samples);
    if (!source_.empty()) {
      for (int32_t v = 0; v < series_.source.variables; ++v) {
        conditions.insert(conditions.end(), series_.source.values + v * series_.samples, series_.source.values + (v + 1) * series_.samples);
        lags.conditions.push_back(source_);
      }
    }
    s.conditions = {conditions.data(), static_cast<int32_t>(lags.conditions.size()), 0};
    lags.future = static_cast<int32_t>(span_);
    return embed(s, lags, o_, scaling_of(o_));
  }
  const Series& series_;
  xc_te_options o_;
  int64_t span_;
  const Control& control_;
};

}  // namespace

Lags greedy_lags(const Series& series, const xc_te_options& o, const Control& control) {
  const int64_t span = std::min<int64_t>(XC_TE_MAX_LAGS, static_cast<int64_t>(o.max_history) * o.max_tau);
  std::vector<int64_t> target(span), source(span);
  std::iota(target.begin(), target.end(), 1);
  std::iota(source.begin(), source.end(), o.delay);
  const int64_t longest = std::max(span, o.delay + span - 1);
  if (longest > INT32_MAX) throw invalid_argument("delay", "delay is too long");
  Selection selection(series, o, longest, control);
  selection.select(series.target, target, selection.chosen_.past, static_cast<size_t>(o.max_history));
  if (selection.chosen_.past.empty()) selection.chosen_.past = {1};
  selection.select(series.source, source, selection.source_, static_cast<size_t>(o.max_history));
  Lags lags = selection.chosen_;
  lags.source = selection.source_.empty() ? std::vector<int64_t>{o.delay} : selection.source_;
  return lags;
}

}  // namespace xcore::te
