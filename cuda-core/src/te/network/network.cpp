#include "te/network/network.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "te/gaussian/gaussian.hpp"
#include "te/network/binned/binned_pairs.hpp"
#include "te/network/gaussian/gaussian_pairs.hpp"
#include "te/network/ksg/ksg_pairs.hpp"
#include "te/scratch.hpp"
#include "te/surrogates/permutation.hpp"

namespace xcore::te {
namespace {

constexpr const char* kOp = "te.network";
// Below this much work (tuples times pairs and surrogates) the CPU is done before a GPU has been started.
constexpr double kPaysKsg = 2e6, kPaysLinear = 1e8;
constexpr int32_t kRound = 32;                  // permutations between two looks at who may stop
constexpr int64_t kRoundValues = 8 * 1000 * 1000;  // surrogate values in memory at a time

// All delays of one network, on one backend.
struct Network {
  const double* values;
  int32_t variables;
  int64_t samples;
  const xc_te_network_options& o;
  const Control& control;

  int32_t delays() const { return o.max_delay - o.min_delay + 1; }

  xc_te_options embedding(int32_t delay) const {
    xc_te_options e{};
    e.size = sizeof e;
    e.estimator = o.estimator == XC_TE_NETWORK_GAUSSIAN ? XC_TE_GAUSSIAN : XC_TE_KSG1;
    // Binned and Gaussian need three tuples, not k neighbours outside a window.
    e.k = o.estimator == XC_TE_NETWORK_KSG1 ? o.k : 1;
    e.theiler = o.estimator == XC_TE_NETWORK_KSG1 ? o.theiler : 0;
    e.target_history = o.target_history, e.target_tau = o.target_tau;
    e.source_history = o.source_history, e.source_tau = o.source_tau;
    e.delay = delay;
    e.normalise = o.normalise;
    e.noise = o.noise;
    e.seed = o.seed;
    return e;
  }
};

// What belongs to one delay.
struct Delay {
  Columns columns;
  BinnedColumns binned;
  std::vector<int32_t> permutations;
  std::unique_ptr<Pairs> pairs;
};

// Whether a series that changes holds a value twice.
bool ties(const double* values, int32_t variables, int64_t samples) {
  int bits = 4;
  while ((int64_t{1} << bits) < 2 * samples) ++bits;
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  constexpr uint64_t kFree = ~uint64_t{0};  // no finite number
  std::atomic<bool> found{false};
  thread_pool().parallel_for(variables, 1, [&](int64_t begin, int64_t end) {
    RawScratch<uint64_t> seen(mask + 1);
    for (int64_t v = begin; v < end && !found.load(std::memory_order_relaxed); ++v) {
      const double* x = values + v * samples;
      // Series of one value do not count: they are 0 by definition.
      if (std::all_of(x, x + samples, [&](double value) { return value == x[0]; })) continue;
      std::fill(seen.begin(), seen.end(), kFree);
      for (int64_t t = 0; t < samples; ++t) {
        const double value = x[t] + 0.0;  // one zero
        uint64_t key;
        std::memcpy(&key, &value, sizeof key);
        uint64_t at = key * 0x9e3779b97f4a7c15u >> (64 - bits);
        while (seen[at] != kFree && seen[at] != key) at = (at + 1) & mask;
        if (seen[at] == key) {
          found = true;
          break;
        }
        seen[at] = key;
      }
    }
  });
  return found;
}

// Columns of raw values may leave the range of fp32.
bool fit_fp32(const double* values, int64_t count) {
  std::atomic<bool> fit{true};
  thread_pool().parallel_for(count, 1 << 16, [&](int64_t begin, int64_t end) {
    double most = 0;
    for (int64_t m = begin; m < end; ++m) most = std::max(most, std::fabs(values[m]));
    if (most > 1e30) fit = false;
  });
  return fit;
}

class Run {
 public:
  Run(const Network& network, double* te, double* p, int32_t* lags, xc_te_network_result& result)
      : net_(network), v_(network.variables), te_(te), p_(p), lags_(lags), result_(result) {
    from_ = net_.o.from, to_ = net_.o.to;
  }

  // device < 0: the CPU
  void run(int device, bool single) {
    result_.single = single;
    result_.surrogates = 0;
    const int64_t targets = to_ - from_;
    // Straight to the GPU and back where nothing but values are wanted of the closed forms.
    if (device >= 0 && net_.o.estimator != XC_TE_NETWORK_KSG1) {
      closed_forms_on_cuda(device);
      return;
    }
    std::vector<Delay> delays(net_.delays());
    for (int32_t d = 0; d < net_.delays(); ++d) make(delays[d], net_.o.min_delay + d, device, single);
    int32_t group = delays[0].pairs->targets_at_once();
    group = std::max<int32_t>(1, group / net_.delays());
    const size_t entries = static_cast<size_t>(std::min<int64_t>(group, targets)) * v_;
    RawScratch<double> values(net_.delays() > 1 ? entries : 0), best(entries);
    RawScratch<int32_t> lag(lags_ || net_.delays() > 1 ? entries : 0);
    for (int32_t begin = from_; begin < to_; begin += group) {
      const int32_t end = std::min(to_, begin + group);
      for (int32_t d = 0; d < net_.delays(); ++d) {
        delays[d].pairs->prepare(begin, end, net_.control);
        delays[d].pairs->originals(d == 0 ? best.data() : values.data(), net_.control);
        keep_best(d, static_cast<int64_t>(end - begin) * v_, values.data(), best.data(), lag.data());
      }
      write(begin, end, best.data(), lag.data());
      if (p_) test(delays, begin, end, best.data());
      net_.control.progress(end - from_, static_cast<double>(targets));
    }
  }

 private:
  void closed_forms_on_cuda(int device) {
#if XCORE_CUDA
    const auto& o = net_.o;
    const int64_t entries = static_cast<int64_t>(to_ - from_) * v_;
    std::vector<double> values(entries), best(net_.delays() > 1 ? entries : 0);
    std::vector<int32_t> lag(entries, o.min_delay);
    for (int32_t d = 0; d < net_.delays(); ++d) {
      const auto embedding = net_.embedding(o.min_delay + d);
      double* out = net_.delays() > 1 && d == 0 ? best.data() : values.data();
      if (o.estimator == XC_TE_NETWORK_GAUSSIAN)
        gaussian_pairs_cuda(device, net_.values, v_, net_.samples, embedding, from_, to_, out, net_.control);
      else
        binned_pairs_cuda(device, net_.values, v_, net_.samples, embedding, o.bins, o.equal_frequency != 0, from_, to_, out, net_.control);
      if (net_.delays() > 1) keep_best(d, entries, values.data(), best.data(), lag.data());
      net_.control.progress(d + 1, net_.delays());
    }
    const double* final_values = net_.delays() > 1 ? best.data() : values.data();
    write(from_, to_, final_values, lag.data());
    if (!p_) return;
    if (o.surrogates == 0) {
      std::vector<Delay> none;
      test(none, from_, to_, final_values);
      return;
    }
    // Surrogates of closed forms are drawn on the CPU.
    std::vector<Delay> delays(net_.delays());
    for (int32_t d = 0; d < net_.delays(); ++d) make(delays[d], o.min_delay + d, -1, false);
    const int32_t group = delays[0].pairs->targets_at_once();
    for (int32_t begin = from_; begin < to_; begin += group) {
      const int32_t end = std::min(to_, begin + group);
      for (auto& d : delays) d.pairs->prepare(begin, end, net_.control);
      test(delays, begin, end, final_values + static_cast<int64_t>(begin - from_) * v_);
    }
#endif
  }

  void make(Delay& d, int32_t delay, int device, bool single) {
    const auto& o = net_.o;
    const auto embedding = net_.embedding(delay);
    const int64_t n = embedding_shape(net_.samples, embedding).tuples;
    if (o.surrogates > 0) {
      d.permutations.resize(static_cast<size_t>(o.surrogates) * n);
      thread_pool().parallel_for(o.surrogates, 1, [&](int64_t begin, int64_t end) {
        for (int64_t s = begin; s < end; ++s) permutation(o.seed, static_cast<uint64_t>(s), n, d.permutations.data() + s * n);
      });
    }
    if (o.estimator == XC_TE_NETWORK_BINNED) {
      d.binned = binned_columns(net_.values, v_, net_.samples, embedding, o.bins, o.equal_frequency != 0);
      d.pairs = binned_pairs_cpu(d.binned, d.permutations.data());
      return;
    }
    d.columns = embed_all(net_.values, v_, net_.samples, embedding);
    if (o.estimator == XC_TE_NETWORK_GAUSSIAN) {
      d.pairs = gaussian_pairs_cpu(d.columns, d.permutations.data());
      return;
    }
    const KsgPairsProblem problem{&d.columns, o.k, o.theiler, d.permutations.data(), o.surrogates};
#if XCORE_CUDA
    if (device >= 0) {
      d.pairs = ksg_pairs_cuda(device, problem, single);
      return;
    }
#endif
    d.pairs = ksg_pairs_cpu(problem);
  }

  void keep_best(int32_t d, int64_t entries, const double* values, double* best, int32_t* lag) const {
    if (d == 0) {
      if (lags_ || net_.delays() > 1) std::fill_n(lag, entries, net_.o.min_delay);
      return;
    }
    for (int64_t m = 0; m < entries; ++m)
      if (values[m] > best[m]) best[m] = values[m], lag[m] = net_.o.min_delay + d;
  }

  // From rows of targets to rows of sources, in squares that stay in the cache.
  void write(int32_t begin, int32_t end, const double* values, const int32_t* lag) {
    constexpr int64_t kSquare = 32;
    thread_pool().parallel_for((v_ + kSquare - 1) / kSquare, 1, [&](int64_t first, int64_t last) {
      for (int64_t x0 = first * kSquare; x0 < std::min<int64_t>(v_, last * kSquare); x0 += kSquare)
        for (int64_t y0 = begin; y0 < end; y0 += kSquare)
          for (int64_t x = x0; x < std::min<int64_t>(v_, x0 + kSquare); ++x)
            for (int64_t y = y0; y < std::min<int64_t>(end, y0 + kSquare); ++y) {
              te_[x * v_ + y] = values[(y - begin) * v_ + x];
              if (lags_) lags_[x * v_ + y] = lag[(y - begin) * v_ + x];
            }
    });
  }

  double analytic(double te) const {
    const auto& o = net_.o;
    const double n = static_cast<double>(result_.tuples);
    double freedom = o.source_history;
    if (o.estimator == XC_TE_NETWORK_BINNED)
      freedom = (std::pow(o.bins, o.source_history) - 1) * (o.bins - 1) * std::pow(o.bins, o.target_history);
    const double p = chi_squared_tail(2 * n * te, static_cast<int64_t>(freedom));
    return net_.delays() == 1 ? p : 1 - std::pow(1 - p, net_.delays());  // the best of several delays (Sidak)
  }

  void test(std::vector<Delay>& delays, int32_t begin, int32_t end, const double* best) {
    const auto& o = net_.o;
    std::vector<Pair> active;
    std::vector<int64_t> place;
    for (int32_t y = begin; y < end; ++y) {
      for (int32_t x = 0; x < v_; ++x) {
        double& p = p_[static_cast<int64_t>(x) * v_ + y];
        p = 1;
        if (x == y || (o.wanted && !o.wanted[static_cast<int64_t>(x) * v_ + y])) continue;
        active.push_back({x, y});
        place.push_back(static_cast<int64_t>(y - begin) * v_ + x);
      }
    }
    if (o.surrogates == 0) {
      thread_pool().parallel_for(static_cast<int64_t>(active.size()), 1024, [&](int64_t first, int64_t last) {
        for (int64_t m = first; m < last; ++m)
          p_[static_cast<int64_t>(active[m].source) * v_ + active[m].target] = analytic(best[place[m]]);
      });
      return;
    }
    std::vector<int32_t> reached(active.size(), 0);
    const bool pooled = o.null_model == XC_TE_NULL_POOLED, stops = o.stop_after > 0 && !pooled;
    std::vector<std::vector<double>> pool(pooled ? end - begin : 0);
    std::vector<double> drawn, other;
    for (int32_t first = 0; first < o.surrogates && !active.empty();) {
      const int64_t fits = std::max<int64_t>(1, kRoundValues / static_cast<int64_t>(active.size()));
      const int32_t count = static_cast<int32_t>(std::min<int64_t>({o.surrogates - first, stops ? kRound : o.surrogates, std::max<int64_t>(fits, kRound)}));
      const int64_t pairs = static_cast<int64_t>(active.size());
      drawn.resize(static_cast<size_t>(pairs) * count);
      // As many pairs at a time as memory allows.
      const int64_t part = std::max<int64_t>(1, kRoundValues / count);
      for (int64_t start = 0; start < pairs; start += part) {
        const int64_t many = std::min(part, pairs - start);
        double* values = drawn.data() + start * count;
        delays[0].pairs->surrogates(active.data() + start, many, first, count, values, net_.control);
        for (size_t d = 1; d < delays.size(); ++d) {
          other.resize(static_cast<size_t>(many) * count);
          delays[d].pairs->surrogates(active.data() + start, many, first, count, other.data(), net_.control);
          for (int64_t m = 0; m < many * count; ++m) values[m] = std::max(values[m], other[m]);
        }
      }
      result_.surrogates += pairs * count;
      int64_t left = 0;
      for (int64_t m = 0; m < pairs; ++m) {
        const Pair pair = active[m];
        double& p = p_[static_cast<int64_t>(pair.source) * v_ + pair.target];
        const double* values = drawn.data() + m * count;
        if (pooled) {
          auto& all = pool[pair.target - begin];
          all.insert(all.end(), values, values + count);
          active[left] = pair, place[left] = place[m], ++left;
          continue;
        }
        bool stopped = false;
        for (int32_t s = 0; s < count && !stopped; ++s) {
          reached[m] += values[s] >= best[place[m]];
          if (stops && reached[m] >= o.stop_after) {
            p = static_cast<double>(reached[m]) / (first + s + 1);
            stopped = true;
          }
        }
        if (stopped) continue;
        p = (1.0 + reached[m]) / (1.0 + first + count);
        active[left] = pair, place[left] = place[m], reached[left] = reached[m], ++left;
      }
      active.resize(left), place.resize(left), reached.resize(left);
      first += count;
    }
    if (!pooled) return;
    for (auto& all : pool) std::sort(all.begin(), all.end());
    for (size_t m = 0; m < active.size(); ++m) {
      const auto& all = pool[active[m].target - begin];
      const auto above = static_cast<double>(all.end() - std::lower_bound(all.begin(), all.end(), best[place[m]]));
      p_[static_cast<int64_t>(active[m].source) * v_ + active[m].target] = (1 + above) / (1 + static_cast<double>(all.size()));
    }
  }

  const Network& net_;
  const int64_t v_;
  double* te_;
  double* p_;
  int32_t* lags_;
  xc_te_network_result& result_;
  int32_t from_ = 0, to_ = 0;
};

void check_options(const xc_te_network_options& o, int32_t variables, bool wants_p) {
  const auto within = [](const char* field, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high)
      throw invalid_argument(field, "%s is %lld and must lie in %lld..%lld", field, static_cast<long long>(value),
                             static_cast<long long>(low), static_cast<long long>(high));
  };
  if (o.estimator < XC_TE_NETWORK_KSG1 || o.estimator > XC_TE_NETWORK_BINNED)
    throw error(XC_UNSUPPORTED, "estimator", -1, "network estimator %d is not known; 1 is KSG algorithm 1, 2 Gaussian, 3 binned", o.estimator);
  within("delay", o.min_delay, 0, INT32_MAX);
  within("maxLag", o.max_delay, o.min_delay, o.min_delay + int64_t{1000});
  within("surrogates", o.surrogates, 0, 1000000);
  within("stopAfter", o.stop_after, 0, 1000000);
  within("targets", o.from, 0, variables);
  within("targets", o.to, o.from, variables);
  if (o.estimator == XC_TE_NETWORK_KSG1) within("k", o.k, 1, 64);
  if (o.estimator == XC_TE_NETWORK_KSG1 && o.analytic)
    throw error(XC_UNSUPPORTED, "analytic", -1, "KSG has no analytic test; take surrogates");
  if (o.estimator == XC_TE_NETWORK_BINNED && o.noise > 0) throw error(XC_UNSUPPORTED, "noise", -1, "noise is for KSG and Gaussian");
  if (wants_p && o.surrogates == 0 && !o.analytic)
    throw invalid_argument("surrogates", "p-values need surrogates, or the analytic test of the Gaussian and binned estimators");
}

}  // namespace

void check_network_values(const double* values, int32_t variables, int64_t samples) {
  if (variables < 2)
    throw invalid_argument("variables", "a network needs at least 2 variables and has %d", variables);
  if (samples < 1 || !values) throw invalid_argument("values", "values must hold variables x samples numbers");
  std::atomic<int64_t> bad{INT64_MAX};
  thread_pool().parallel_for(static_cast<int64_t>(variables) * samples, 1 << 16, [&](int64_t begin, int64_t end) {
    // A sum of zeros times the values is no number exactly when one of them is not finite.
    double sum = 0;
    for (int64_t m = begin; m < end; ++m) sum += values[m] * 0.0;
    if (sum == 0) return;
    for (int64_t m = begin; m < end; ++m) {
      if (std::isfinite(values[m])) continue;
      int64_t known = bad.load();
      while (m < known && !bad.compare_exchange_weak(known, m)) {
      }
      return;
    }
  });
  const int64_t at = bad.load();
  if (at != INT64_MAX)
    throw invalid_argument("values", "values hold %s at sample %lld of variable %lld; every value must be finite",
                           std::isnan(values[at]) ? "NaN" : "an infinity", static_cast<long long>(at % samples),
                           static_cast<long long>(at / samples));
}

void network(const double* values, int32_t variables, int64_t samples, const xc_te_network_options& given, double* te,
             double* p_values, int32_t* lags, xc_te_network_result& result, const Control& control) {
  xc_te_network_options o = given;
  if (o.from == 0 && o.to == 0) o.to = variables;
  check_network_values(values, variables, samples);
  check_options(o, variables, p_values != nullptr);
  const Network net{values, variables, samples, o, control};
  for (int32_t delay = o.min_delay; delay <= o.max_delay; ++delay) embedding_shape(samples, net.embedding(delay));
  if (o.estimator == XC_TE_NETWORK_BINNED) binned_shape(samples, net.embedding(o.max_delay), o.bins);
  result = {sizeof result, 0, embedding_shape(samples, net.embedding(o.min_delay)).tuples, 0, kCpu, 0, 0};
  Run run(net, te, p_values, lags, result);
  const double work = static_cast<double>(result.tuples) * variables * (o.to - o.from) * (1.0 + o.surrogates);
  // Noise is added to embedded columns, which the closed forms on CUDA never see.
  const bool possible = o.estimator != XC_TE_NETWORK_GAUSSIAN || o.noise == 0;
  if (!possible && o.device.kind == XC_DEVICE_CUDA)
    throw error(XC_UNSUPPORTED, "noise", -1, "Gaussian networks with noise run on the CPU. Use 'auto' or 'cpu'.");
  bool pays = possible && work >= (o.estimator == XC_TE_NETWORK_KSG1 ? kPaysKsg : kPaysLinear);
  if (pays && o.device.kind == XC_DEVICE_AUTO) {
    // What a GPU cannot hold is no failure under 'auto'.
    if (o.estimator == XC_TE_NETWORK_KSG1)
      pays = o.k <= kKsgPairsCudaMaxK && o.target_history <= kKsgPairsCudaMaxDims && o.source_history <= kKsgPairsCudaMaxDims;
    else if (o.estimator == XC_TE_NETWORK_GAUSSIAN)
      pays = o.target_history <= 4 && o.source_history <= 5;
    else
      pays = std::pow(o.bins, o.target_history + o.source_history + 1) <= 8192;
  }
  run_on(
      o.device, pays, kOp,
      [&](int device) {
        const trace::OpTimer timer(kOp, cuda_device(device));
        // fp32 counts again in fp64 what it cannot tell; with equal values that would be nearly everything.
        bool single = o.estimator == XC_TE_NETWORK_KSG1 && o.precision != XC_TE_F64 &&
                      (o.normalise || fit_fp32(values, static_cast<int64_t>(variables) * samples));
        if (single && o.precision == XC_TE_PRECISION_AUTO)
          single = o.noise > 0 || !ties(values, variables, samples);
        run.run(device, single);
        result.device = cuda_device(device);
      },
      [&] {
        const trace::OpTimer timer(kOp, kCpu);
        run.run(-1, false);
        result.device = kCpu;
      });
}

}  // namespace xcore::te
