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

void binned_pairs_cpu(const BinnedColumns& c, int32_t from, int32_t to, double* te, const Control& control) {
  std::vector<double> logs(c.n + 1, 0.0);
  for (int64_t m = 2; m <= c.n; ++m) logs[m] = static_cast<double>(m) * std::log(static_cast<double>(m));
  const uint32_t joint = c.past_states * c.source_states, states = joint * c.bins;
  const int32_t round = 64;
  for (int32_t start = from; start < to; start += round) {
    control.throw_if_cancelled();
    thread_pool().parallel_for(std::min(round, to - start), 1, [&](int64_t begin, int64_t end) {
      std::vector<uint32_t> counts(states), alone(c.past_states), target_joint(static_cast<size_t>(c.bins) * c.past_states), row(c.n);
      for (int64_t y = start + begin; y < start + end; ++y) {
        const uint32_t* target = c.target.data() + y * c.n;
        std::fill(alone.begin(), alone.end(), 0);
        std::fill(target_joint.begin(), target_joint.end(), 0);
        for (int64_t t = 0; t < c.n; ++t) {
          ++alone[target[t] % c.past_states], ++target_joint[target[t]];
          row[t] = target[t] * c.source_states;
        }
        double part = 0;
        for (const uint32_t m : alone) part += logs[m];
        for (const uint32_t m : target_joint) part -= logs[m];
        double* out = te + (y - from) * c.variables;
        for (int32_t x = 0; x < c.variables; ++x) {
          out[x] = 0;
          if (x == y) continue;
          const uint32_t* source = c.source.data() + static_cast<int64_t>(x) * c.n;
          std::fill(counts.begin(), counts.end(), 0);
          for (int64_t t = 0; t < c.n; ++t) ++counts[row[t] + source[t]];
          double sum = part;
          for (uint32_t m = 0; m < joint; ++m) {
            uint32_t total = 0;
            for (uint32_t f = 0; f < c.bins; ++f) {
              const uint32_t count = counts[f * joint + m];
              total += count;
              sum += logs[count];
            }
            sum -= logs[total];
          }
          out[x] = sum / static_cast<double>(c.n);
        }
      }
    });
  }
}

}  // namespace xcore::te
