#include "te/surrogates/surrogates.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/philox.hpp"
#include "runtime/thread_pool.hpp"
#include "te/binned/binned.hpp"
#include "te/surrogates/permutation.hpp"

namespace xcore::te {
namespace {

void check_permutations(const xc_te_options& o, int64_t n) {
  if (o.permutation_values != static_cast<int64_t>(o.surrogates) * n)
    throw invalid_argument("permutations", "permutations hold %lld indices; %d surrogates of %lld tuples need %lld",
                           static_cast<long long>(o.permutation_values), o.surrogates, static_cast<long long>(n),
                           static_cast<long long>(o.surrogates * n));
  for (int64_t i = 0; i < o.permutation_values; ++i) {
    if (o.permutations[i] < 0 || o.permutations[i] >= n)
      throw invalid_argument("permutations", "index %lld is %d; indices lie in 0..%lld", static_cast<long long>(i),
                             o.permutations[i], static_cast<long long>(n - 1));
  }
}

// New source series for surrogate `index`, embedded as the first were.
Block iaaft_source(const Series& series, const Lags& lags, const xc_te_options& o, uint64_t index) {
  Scratch<double> values(static_cast<size_t>(series.source.variables) * series.samples);
  const int64_t segments = o.segments ? o.segment_count : 1;
  for (int32_t v = 0; v < series.source.variables; ++v) {
    int64_t begin = 0;
    for (int64_t s = 0; s < segments; ++s) {
      const int64_t length = o.segments ? o.segments[s] : series.samples, at = v * series.samples + begin;
      const uint64_t stream = (index << 24) + static_cast<uint64_t>(v) * static_cast<uint64_t>(segments) + static_cast<uint64_t>(s);
      iaaft(series.source.values + at, length, o.seed, stream, values.data() + at);
      begin += length;
    }
  }
  Series drawn = series;
  drawn.source.values = values.data();
  Scratch<double> symbols;
  if (o.estimator == XC_TE_BINNED) {
    symbols = binned_series(drawn.source, series.samples, o);
    drawn.source.values = symbols.data();
  }
  return embed_source(drawn, lags, o, scaling_of(o));
}

}  // namespace

void surrogate_rows(const xc_te_options& o, uint64_t index, int64_t n, int32_t* out) {
  if (o.surrogate_method == XC_TE_SHIFT) {
    // Shifts shorter than the Theiler window would leave the link in place.
    const int64_t least = std::min<int64_t>(std::max<int64_t>(1, o.theiler + 1), n / 2);
    Philox random(o.seed, index);
    const int64_t shift = least + random.next_below(static_cast<uint32_t>(std::max<int64_t>(1, n - 2 * least + 1)));
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<int32_t>((i + shift) % n);
  } else if (o.surrogate_method == XC_TE_BLOCK) {
    const int64_t length = std::min<int64_t>(n, o.block > 0 ? o.block : std::max<int64_t>(1, std::llround(std::sqrt(static_cast<double>(n)))));
    const int64_t blocks = (n + length - 1) / length;
    std::vector<int32_t> order(blocks);
    permutation(o.seed, index, blocks, order.data());
    int64_t at = 0;
    for (const int32_t b : order)
      for (int64_t i = b * length; i < std::min<int64_t>(n, (b + 1) * length); ++i) out[at++] = static_cast<int32_t>(i);
  } else {
    permutation(o.seed, index, n, out);
  }
}

void surrogate_values(const Estimator& estimator, const Series& series, const Lags& lags, int64_t n, const xc_te_options& o,
                      double te, std::vector<double>& out, const Control& control) {
  out.clear();
  if (o.permutations) check_permutations(o, n);
  if (o.surrogate_method == XC_TE_IAAFT && o.valid)
    throw error(XC_UNSUPPORTED, "surrogateMethod", -1, "iaaft needs series without missing samples; use shift or block");
  const int64_t total = o.surrogates;
  // Rounds, so that progress is told from the calling thread, memory stays small and stopping early saves work.
  const int64_t largest = estimator.device().kind == XC_DEVICE_CUDA ? std::max<int64_t>(1, 4000000 / n) : std::clamp<int64_t>(4000000 / n, 2, 32);
  int64_t reached = 0;
  for (int64_t first = 0; first < total;) {
    const int64_t many = std::min(largest, total - first);
    std::vector<double> round(many);
    if (o.surrogate_method == XC_TE_IAAFT && !o.permutations) {
      thread_pool().parallel_for(many, 1, [&](int64_t begin, int64_t end) {
        for (int64_t s = begin; s < end; ++s) {
          control.throw_if_cancelled();
          const Block source = iaaft_source(series, lags, o, static_cast<uint64_t>(first + s));
          round[s] = estimator.with_source(source.values.data(), control);
        }
      });
    } else if (o.permutations) {
      estimator.permuted(o.permutations + first * n, many, round.data(), control);
    } else {
      Scratch<int32_t> rows(static_cast<size_t>(many) * n);
      thread_pool().parallel_for(many, 1, [&](int64_t begin, int64_t end) {
        for (int64_t s = begin; s < end; ++s) surrogate_rows(o, static_cast<uint64_t>(first + s), n, rows.data() + s * n);
      });
      estimator.permuted(rows.data(), many, round.data(), control);
    }
    for (const double v : round) {
      out.push_back(v);
      reached += v >= te;
      if (o.stop_after > 0 && reached >= o.stop_after) {
        control.progress(static_cast<double>(total), static_cast<double>(total));
        return;
      }
    }
    first += many;
    control.progress(static_cast<double>(first), static_cast<double>(total));
  }
}

double sequential_p(double te, const std::vector<double>& values, const xc_te_options& o) {
  int64_t reached = 0;
  for (const double v : values) reached += v >= te;
  if (o.stop_after > 0 && reached >= o.stop_after) return static_cast<double>(reached) / static_cast<double>(values.size());
  return significance(te, values).p_value;
}

}  // namespace xcore::te
