#include "te/network/greedy/greedy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "te/gaussian/gaussian.hpp"
#include "te/network/greedy/conditional.hpp"
#include "te/network/ksg/ksg_pairs.hpp"
#include "te/network/network.hpp"
#include "te/surrogates/permutation.hpp"

namespace xcore::te {
namespace {

constexpr const char* kOp = "te.greedy";

struct Problem {
  const double* values;
  int32_t variables;
  int64_t samples;
  const xc_te_greedy_options& o;
  int32_t deepest;  // lag of any candidate
  LaggedColumns columns;
  std::vector<int32_t> permutations;

  int32_t column(int32_t variable, int32_t lag) const { return variable * deepest + lag - 1; }
};

void fill(Problem& p) {
  const int64_t n = p.samples - p.deepest;
  p.columns.n = n;
  p.columns.values.resize(static_cast<size_t>(p.variables) * p.deepest * n);
  thread_pool().parallel_for(p.variables, 1, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      for (int32_t lag = 1; lag <= p.deepest; ++lag) {
        const double* from = p.values + v * p.samples + p.deepest - lag;
        double* to = p.columns.values.data() + p.column(static_cast<int32_t>(v), lag) * n;
        const double mean = std::accumulate(from, from + n, 0.0) / static_cast<double>(n);
        double squares = 0;
        bool varies = false;
        for (int64_t t = 0; t < n; ++t) squares += (from[t] - mean) * (from[t] - mean), varies = varies || from[t] != from[0];
        const double deviation = std::sqrt(squares / static_cast<double>(n - 1));
        for (int64_t t = 0; t < n; ++t) to[t] = varies && deviation > 0 ? (from[t] - mean) / deviation : 0.0;
      }
    }
  });
  p.permutations.resize(static_cast<size_t>(p.o.surrogates) * n);
  for (int32_t s = 0; s < p.o.surrogates; ++s) permutation(p.o.seed, static_cast<uint64_t>(s), n, p.permutations.data() + s * n);
}

// The p-value of a statistic among draws of it without influence. When none of them reached it, the tail of the extreme-value
// law with their mean and deviation (E. J. Gumbel, Statistics of Extremes, 1958): maxima of many follow it, single values have
// shorter tails. Without it a sparse network would need as many draws as it has tests per false link allowed.
double p_among(double value, const std::vector<double>& draws) {
  const double count = static_cast<double>(draws.size());
  double sum = 0, squares = 0, reached = 0;
  for (const double v : draws) sum += v, reached += v >= value;
  const double plain = (1 + reached) / (1 + count);
  if (reached > 0 || count < 10) return plain;
  for (const double v : draws) squares += (v - sum / count) * (v - sum / count);
  const double scale = std::sqrt(6 * squares / (count - 1)) / 3.14159265358979323846;
  if (!(scale > 0)) return plain;
  const double mode = sum / count - 0.57721566490153286 * scale;
  return std::min(plain, -std::expm1(-std::exp(-(value - mode) / scale)));
}

// The inference of one target.
class Target {
 public:
  Target(const Problem& p, const Conditional& information, int32_t y, const Control& control)
      : p_(p), information_(information), y_(y), control_(control), future_(p.columns.n) {
    const double* from = p.values + static_cast<int64_t>(y) * p.samples + p.deepest;
    const double n = static_cast<double>(p.columns.n);
    const double mean = std::accumulate(from, from + p.columns.n, 0.0) / n;
    double squares = 0;
    for (int64_t t = 0; t < p.columns.n; ++t) squares += (from[t] - mean) * (from[t] - mean);
    const double deviation = std::sqrt(squares / (n - 1));
    constant_ = std::all_of(from, from + p.columns.n, [&](double v) { return v == from[0]; });
    for (int64_t t = 0; t < p.columns.n; ++t) future_[t] = constant_ ? 0.0 : (from[t] - mean) / deviation;
  }

  std::vector<xc_te_greedy_link> infer(double& omnibus_te, double& omnibus_p) {
    omnibus_te = 0, omnibus_p = 1;
    if (constant_) return {};
    own_ = {p_.column(y_, 1)};
    std::vector<int32_t> candidates;
    for (int32_t lag = 2; lag <= p_.o.max_history; ++lag) candidates.push_back(p_.column(y_, lag));
    std::vector<double> own_p;
    grow(candidates, own_, own_p);
    candidates.clear();
    for (int32_t x = 0; x < p_.variables; ++x)
      for (int32_t lag = p_.o.min_lag; x != y_ && lag <= p_.o.max_lag; ++lag) candidates.push_back(p_.column(x, lag));
    grow(candidates, sources_, chosen_p_);
    prune();
    if (sources_.empty()) return {};
    const Informations all = information_(future_.data(), {sources_}, own_, p_.o.surrogates > 0, control_);
    omnibus_te = all.value[0];
    omnibus_p = p_value(all, 0, static_cast<int32_t>(sources_.size()), 1);
    return links();
  }

 private:
  std::vector<int32_t> chosen_without(const std::vector<int32_t>& left_out) const {
    std::vector<int32_t> given = own_;
    for (const int32_t c : sources_)
      if (std::find(left_out.begin(), left_out.end(), c) == left_out.end()) given.push_back(c);
    return given;
  }

  // Of candidate m against its own surrogates; without any, chi-squared, corrected for the choice among `among`.
  double p_value(const Informations& i, size_t m, int32_t freedom, int32_t among) const {
    if (p_.o.surrogates == 0) {
      const double p = chi_squared_tail(2 * static_cast<double>(p_.columns.n) * i.value[m], freedom);
      return among == 1 ? p : -std::expm1(among * std::log1p(-std::min(p, 1 - 1e-16)));
    }
    const auto from = i.surrogates.begin() + static_cast<int64_t>(m) * p_.o.surrogates;
    return p_among(i.value[m], {from, from + p_.o.surrogates});
  }

  // Candidates with the largest information join `into` while they pass the maximum statistic; `passed` takes the p-values. One
  // that was only looked at because others had passed before is not more certain than they.
  void grow(std::vector<int32_t> candidates, std::vector<int32_t>& into, std::vector<double>& passed) {
    while (!candidates.empty() && static_cast<int32_t>(into.size()) < p_.o.max_sources) {
      std::vector<std::vector<int32_t>> sets;
      for (const int32_t c : candidates) sets.push_back({c});
      // Surrogates of all are drawn only for a best candidate that is worth it: one that has any information at all.
      const auto given = chosen_without({});
      Informations i = information_(future_.data(), sets, given, false, control_);
      const size_t best = static_cast<size_t>(std::max_element(i.value.begin(), i.value.end()) - i.value.begin());
      if (!(i.value[best] > 0)) return;
      double p;
      if (p_.o.surrogates == 0) {
        p = p_value(i, best, 1, static_cast<int32_t>(candidates.size()));
      } else {
        const Informations drawn = information_(future_.data(), sets, given, true, control_);
        std::vector<double> most(p_.o.surrogates, -std::numeric_limits<double>::infinity());
        for (size_t m = 0; m < sets.size(); ++m)
          for (int32_t s = 0; s < p_.o.surrogates; ++s) most[s] = std::max(most[s], drawn.surrogates[m * p_.o.surrogates + s]);
        p = p_among(i.value[best], most);
      }
      if (p > p_.o.alpha) return;
      into.push_back(candidates[best]);
      passed.push_back(passed.empty() ? p : std::max(p, passed.back()));
      candidates.erase(candidates.begin() + static_cast<int64_t>(best));
    }
  }

  // The weakest source leaves while it fails the minimum statistic.
  void prune() {
    const int32_t draws = p_.o.surrogates;
    while (!sources_.empty()) {
      std::vector<Informations> each;
      for (const int32_t c : sources_) each.push_back(information_(future_.data(), {{c}}, chosen_without({c}), draws > 0, control_));
      size_t weakest = 0;
      for (size_t m = 1; m < each.size(); ++m)
        if (each[m].value[0] < each[weakest].value[0]) weakest = m;
      double p;
      if (draws == 0) {
        p = p_value(each[weakest], 0, 1, 1);
      } else {
        std::vector<double> least(draws, std::numeric_limits<double>::infinity());
        for (const auto& i : each)
          for (int32_t s = 0; s < draws; ++s) least[s] = std::min(least[s], i.surrogates[s]);
        p = p_among(each[weakest].value[0], least);
      }
      if (p <= p_.o.alpha) {
        last_p_.clear();
        for (const auto& i : each) last_p_.push_back(p_value(i, 0, 1, 1));
        return;
      }
      sources_.erase(sources_.begin() + static_cast<int64_t>(weakest));
      chosen_p_.erase(chosen_p_.begin() + static_cast<int64_t>(weakest));
    }
  }

  std::vector<xc_te_greedy_link> links() const {
    std::vector<xc_te_greedy_link> out;
    for (size_t m = 0; m < sources_.size(); ++m) {
      const int32_t x = sources_[m] / p_.deepest;
      std::vector<int32_t> together;
      for (const int32_t c : sources_)
        if (c / p_.deepest == x) together.push_back(c);
      const double te = information_(future_.data(), {together}, chosen_without(together), false, control_).value[0];
      out.push_back({x, y_, sources_[m] % p_.deepest + 1, 0, te, std::max(chosen_p_[m], last_p_[m])});
    }
    return out;
  }

  const Problem& p_;
  const Conditional& information_;
  const int32_t y_;
  const Control& control_;
  std::vector<double> future_;
  bool constant_ = false;
  std::vector<int32_t> own_, sources_;  // columns, in order of choice
  std::vector<double> chosen_p_, last_p_;  // of sources_: by the test that chose it, and by the last that kept it
};

void check(const xc_te_greedy_options& o, int32_t variables, int64_t samples, int32_t deepest) {
  const auto within = [](const char* field, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high)
      throw invalid_argument(field, "%s is %lld and must lie in %lld..%lld", field, static_cast<long long>(value),
                             static_cast<long long>(low), static_cast<long long>(high));
  };
  if (o.estimator != XC_TE_NETWORK_KSG1 && o.estimator != XC_TE_NETWORK_GAUSSIAN)
    throw error(XC_UNSUPPORTED, "estimator", -1, "multivariate inference knows KSG algorithm 1 and Gaussian");
  within("maxLag", o.max_lag, 1, 1000);
  within("delay", o.min_lag, 1, o.max_lag);
  within("maxHistory", o.max_history, 1, 1000);
  within("surrogates", o.surrogates, 0, 100000);
  within("maxSources", o.max_sources, 1, 1000);
  within("targets", o.from, 0, variables);
  within("targets", o.to, o.from, variables);
  within("k", o.k, 1, 64);
  within("theiler", o.theiler, 0, INT32_MAX);
  if (!(o.alpha > 0 && o.alpha < 1)) throw invalid_argument("alpha", "alpha is %g and must lie between 0 and 1", o.alpha);
  if (o.estimator == XC_TE_NETWORK_KSG1 && o.surrogates == 0)
    throw invalid_argument("surrogates", "multivariate inference with KSG needs surrogates, 1 / alpha of them at least");
  if (o.surrogates > 0 && 1.0 / (1 + o.surrogates) > o.alpha)
    throw invalid_argument("surrogates", "%d surrogates cannot reach alpha = %g; take at least %.0f", o.surrogates, o.alpha, std::ceil(1 / o.alpha - 1));
  const int64_t needed = deepest + std::max<int64_t>(o.k + 2 * static_cast<int64_t>(o.theiler) + 1, 8);
  if (samples < needed)
    throw invalid_argument("samples", "%lld samples are too few for lags up to %d; at least %lld are needed",
                           static_cast<long long>(samples), deepest, static_cast<long long>(needed));
}

}  // namespace

std::vector<xc_te_greedy_link> greedy_network(const double* values, int32_t variables, int64_t samples, const xc_te_greedy_options& given,
                                              double* omnibus_te, double* omnibus_p, const Control& control) {
  xc_te_greedy_options o = given;
  if (o.from == 0 && o.to == 0) o.to = variables;
  check_network_values(values, variables, samples);
  Problem p{values, variables, samples, o, std::max(o.max_lag, o.max_history), {}, {}};
  check(o, variables, samples, p.deepest);
  fill(p);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  std::fill_n(omnibus_te, variables, nan);
  std::fill_n(omnibus_p, variables, nan);
  const int32_t targets = o.to - o.from;
  const double work = static_cast<double>(p.columns.n) * variables * p.deepest * (1.0 + o.surrogates);
  const bool pays = o.estimator == XC_TE_NETWORK_KSG1 && work >= 2e7 && o.k <= kKsgPairsCudaMaxK && o.max_sources + o.max_history <= kKsgPairsCudaMaxDims;
  if (o.estimator == XC_TE_NETWORK_GAUSSIAN && o.device.kind == XC_DEVICE_CUDA)
    throw error(XC_UNSUPPORTED, "device", -1, "Gaussian multivariate inference runs on the CPU. Use 'auto' or 'cpu'.");
  const auto run = [&](int device) {
    std::unique_ptr<Conditional> information = o.estimator == XC_TE_NETWORK_KSG1
                                                   ? conditional_ksg(p.columns, p.permutations, o.k, o.theiler, device)
                                                   : conditional_gaussian(p.columns, p.permutations);
    std::vector<std::vector<xc_te_greedy_link>> links(targets);
    // Targets side by side on the CPU, in rounds so that progress is told; one after the other on a GPU, which each fills.
    const int32_t round = device >= 0 ? 1 : std::max(16, thread_pool().threads());
    for (int32_t first = 0; first < targets; first += round) {
      const int32_t many = std::min(round, targets - first);
      const auto infer = [&](int64_t begin, int64_t end) {
        for (int64_t m = first + begin; m < first + end; ++m) {
          const int32_t y = o.from + static_cast<int32_t>(m);
          links[m] = Target(p, *information, y, control).infer(omnibus_te[y], omnibus_p[y]);
        }
      };
      if (device >= 0) infer(0, many);
      else thread_pool().parallel_for(many, 1, infer);
      control.progress(first + many, targets);
    }
    std::vector<xc_te_greedy_link> out;
    for (const auto& of_target : links) out.insert(out.end(), of_target.begin(), of_target.end());
    return out;
  };
  return run_on(o.device, pays, kOp, [&](int device) { return run(device); }, [&] { return run(-1); });
}

}  // namespace xcore::te
