#include "te/auto-embedding/auto_embedding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "te/auto-embedding/greedy.hpp"
#include "te/ksg/ranked_column.hpp"

namespace xcore::te {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const xc_te_series kNone{nullptr, 0, 0};

bool enough(int64_t samples, int64_t longest, const xc_te_options& o) {
  return samples - longest >= std::max<int64_t>(3, static_cast<int64_t>(o.k) + 2 * static_cast<int64_t>(o.theiler) + 1);
}

// A series' own past and next value, as a mutual information I(past; next): S = past, F = next, no P.
Embedding self_embedding(const Series& series, const xc_te_series& of, const xc_te_options& o, int32_t history, int32_t tau) {
  Lags lags;
  for (int32_t h = 0; h < history; ++h) lags.source.push_back(1 + static_cast<int64_t>(h) * tau);
  return embed({of, of, kNone, series.samples}, lags, o, scaling_of(o));
}

struct Pair {
  int32_t history = 1, tau = 1;
};

// The first of all candidates with the largest score.
template <class Score>
Pair best_pair(const Series& series, const xc_te_options& o, const Control& control, Score&& score) {
  Pair best;
  double largest = -kInfinity;
  for (int32_t history = 1; history <= o.max_history; ++history) {
    for (int32_t tau = 1; tau <= (history == 1 ? 1 : o.max_tau); ++tau) {
      control.throw_if_cancelled();
      if (!enough(series.samples, 1 + static_cast<int64_t>(history - 1) * tau, o)) continue;
      const double s = score(history, tau);
      if (s > largest) largest = s, best = {history, tau};
    }
  }
  return best;
}

// Analytic bias is taken off, so that more lags are not better by themselves.
xc_te_options corrected(const xc_te_options& o) {
  xc_te_options c = o;
  c.bias_correction = 1;
  return c;
}

Pair self_pair(const Series& series, const xc_te_series& of, const xc_te_options& o, bool ragwitz, const Control& control) {
  const xc_te_options c = corrected(o);
  return best_pair(series, o, control, [&](int32_t history, int32_t tau) {
    if (ragwitz) return -ragwitz_error(self_embedding(series, of, o, history, tau), o.k, o.theiler, control);
    const Embedding e = self_embedding(series, of, c, history, tau);
    if (e.target_constant) return 0.0;
    return make_estimator(e, c, kCpu)->value(nullptr, control);
  });
}

double te_of(const Series& series, const xc_te_options& o, const Control& control) {
  const Embedding e = embed(series, given_lags(o, series.conditions.variables), o, scaling_of(o));
  if (e.source_constant || e.target_constant) return 0;
  return make_estimator(e, o, kCpu)->value(nullptr, control);
}

// Every m-th part of the tuples, contiguous.
Embedding part_of(const Embedding& e, int64_t begin, int64_t end) {
  Embedding out;
  out.n = end - begin, out.first = e.first;
  const auto cut = [&](const Block& from, Block& to) {
    to.dims = from.dims;
    for (int32_t c = 0; c < from.dims; ++c)
      to.values.insert(to.values.end(), from.values.begin() + c * e.n + begin, from.values.begin() + c * e.n + end);
  };
  cut(e.future, out.future);
  cut(e.past, out.past);
  cut(e.source, out.source);
  if (!e.time.empty()) out.time.assign(e.time.begin() + begin, e.time.begin() + end);
  return out;
}

}  // namespace

double ragwitz_error(const Embedding& e, int32_t k, int32_t theiler, const Control& control) {
  const int64_t n = e.n;
  RankedColumn<double> key;
  rank_column(e.source.values.data(), n, key);
  const int32_t dims = e.source.dims;
  // In order of the first column, so that only a window around each tuple is looked at.
  Scratch<double> x(static_cast<size_t>(dims) * n);
  for (int32_t c = 0; c < dims; ++c)
    for (int64_t r = 0; r < n; ++r) x[c * n + r] = e.source.values[c * n + key.order[r]];
  const int32_t* time = e.times();
  std::vector<double> squares(n);
  thread_pool().parallel_for(n, 64, [&](int64_t begin, int64_t end) {
    struct Near {
      double distance;
      int32_t tuple;
      bool operator<(const Near& o) const { return distance < o.distance || (distance == o.distance && tuple < o.tuple); }
    };
    std::vector<Near> near;
    for (int64_t r = begin; r < end; ++r) {
      if (r % 64 == 0) control.throw_if_cancelled();
      const int32_t own = key.order[r];
      near.assign(k, {kInfinity, INT32_MAX});
      const auto offer = [&](int64_t j) {
        double d = 0;
        for (int32_t c = 0; c < dims; ++c) d = std::max(d, std::fabs(x[c * n + j] - x[c * n + r]));
        const Near candidate{d, key.order[j]};
        if (!(candidate < near.back())) return;
        const int64_t apart = time ? std::llabs(int64_t{time[candidate.tuple]} - time[own]) : std::llabs(int64_t{candidate.tuple} - own);
        if (apart <= theiler) return;
        size_t at = near.size() - 1;
        for (; at > 0 && candidate < near[at - 1]; --at) near[at] = near[at - 1];
        near[at] = candidate;
      };
      int64_t low = r - 1, high = r + 1;
      for (;;) {
        const bool right = high < n && x[high] - x[r] <= near.back().distance, left = low >= 0 && x[r] - x[low] <= near.back().distance;
        if (right) offer(high++);
        if (left) offer(low--);
        if (!right && !left) break;
      }
      double sum = 0;
      for (int32_t f = 0; f < e.future.dims; ++f) {
        const double* next = e.future.values.data() + f * n;
        double mean = 0;
        for (const Near& v : near) mean += next[v.tuple];
        mean /= k;
        sum += (next[own] - mean) * (next[own] - mean);
      }
      squares[own] = sum;
    }
  });
  double sum = 0;
  for (const double s : squares) sum += s;
  return sum / static_cast<double>(n);
}

int32_t automatic_k(const Embedding& e, const xc_te_options& o, const Control& control) {
  int32_t best = 4;
  double smallest = kInfinity;
  for (const int32_t k : {3, 4, 6, 8, 12, 16, 24, 32}) {
    if (e.n / 4 < 4 * (static_cast<int64_t>(k) + 2 * static_cast<int64_t>(o.theiler) + 1)) break;
    control.throw_if_cancelled();
    xc_te_options with = o;
    with.k = k;
    const double all = make_ksg(e, with)->value(nullptr, control);
    // The spread of the parts, as a standard error of each mean.
    double worst = 0;
    for (const int64_t parts : {2, 3, 4}) {
      std::vector<double> values(parts);
      for (int64_t p = 0; p < parts; ++p) {
        const Embedding part = part_of(e, p * e.n / parts, (p + 1) * e.n / parts);
        values[p] = make_ksg(part, with)->value(nullptr, control);
      }
      double mean = 0, squares = 0;
      for (const double v : values) mean += v / static_cast<double>(parts);
      for (const double v : values) squares += (v - mean) * (v - mean);
      const double error = std::sqrt(squares / static_cast<double>(parts - 1) / static_cast<double>(parts));
      worst = std::max(worst, std::fabs(all - mean) / std::max(error, 1e-3));
    }
    if (worst <= 1) return k;
    if (worst < smallest) smallest = worst, best = k;
  }
  return best;
}

ChosenEmbedding choose_embedding(const Series& series, const xc_te_options& given, const Control& control) {
  ChosenEmbedding out;
  out.options = given;
  xc_te_options& o = out.options;
  if (o.measure == XC_TE_MUTUAL && o.embedding != XC_TE_GIVEN)
    throw invalid_argument("embedding", "a mutual information has no embedding to choose; use 'given'");
  if (o.max_delay > o.delay && o.measure == XC_TE_TRANSFER && o.embedding != XC_TE_GREEDY) {
    // The delay first, with the embedding as it was given: automatic embeddings leave it alone.
    double largest = -kInfinity;
    int32_t best = o.delay;
    xc_te_options at = o;
    for (int32_t delay = o.delay; delay <= o.max_delay; ++delay) {
      at.delay = delay;
      if (!enough(series.samples, given_lags(at, series.conditions.variables).longest(), at)) break;
      const double te = te_of(series, at, control);
      if (te > largest) largest = te, best = delay;
    }
    o.delay = best;
  }
  if (o.embedding == XC_TE_GREEDY) {
    out.lags = greedy_lags(series, o, control);
    out.by_lags = true;
  } else if (o.embedding != XC_TE_GIVEN) {
    const bool ragwitz = o.embedding == XC_TE_RAGWITZ || o.embedding == XC_TE_RAGWITZ_TARGET;
    const Pair target = self_pair(series, series.target, o, ragwitz, control);
    o.target_history = target.history, o.target_tau = target.tau;
    if (o.embedding == XC_TE_RAGWITZ || o.embedding == XC_TE_MAX_AIS) {
      const Pair source = self_pair(series, series.source, o, ragwitz, control);
      o.source_history = source.history, o.source_tau = source.tau;
    } else if (o.embedding == XC_TE_MAX_AIS_TE) {
      xc_te_options at = corrected(o);
      const Pair source = best_pair(series, o, control, [&](int32_t history, int32_t tau) {
        at.source_history = history, at.source_tau = tau;
        if (!enough(series.samples, given_lags(at, series.conditions.variables).longest(), at)) return -kInfinity;
        return te_of(series, at, control);
      });
      o.source_history = source.history, o.source_tau = source.tau;
    }
  }
  if (!out.by_lags) out.lags = given_lags(o, series.conditions.variables);
  if (o.auto_k && (o.estimator == XC_TE_KSG1 || o.estimator == XC_TE_KSG2)) {
    const Embedding e = embed(series, out.lags, o, scaling_of(o));
    if (!e.source_constant && !e.target_constant) o.k = automatic_k(e, o, control);
  }
  return out;
}

}  // namespace xcore::te
