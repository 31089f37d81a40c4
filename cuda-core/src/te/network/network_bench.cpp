// scratch
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/philox.hpp"
#include "runtime/thread_pool.hpp"
#include "te/gaussian/gaussian.hpp"
#include "te/ksg/ksg.hpp"
#include "te/network/binned/binned_pairs.hpp"
#include "te/network/gaussian/gaussian_pairs.hpp"
#include "te/network/ksg/ksg_pairs.hpp"
#include "te/surrogates/permutation.hpp"

using namespace xcore;
using namespace xcore::te;

static std::vector<double> var_network(int32_t v, int64_t n, uint64_t seed) {
  Philox random(seed, 11);
  std::vector<double> x(v * n), now(v), next(v);
  std::vector<int> from(2 * v);
  for (int& f : from) f = static_cast<int>(random.next_below(v));
  for (int64_t t = -100; t < n; ++t) {
    for (int32_t i = 0; i < v; ++i)
      next[i] = 0.4 * now[i] + 0.3 * now[from[2 * i]] - 0.3 * now[from[2 * i + 1]] + random.next_normal();
    now = next;
    if (t >= 0) for (int32_t i = 0; i < v; ++i) x[i * n + t] = now[i];
  }
  return x;
}
static double now_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
static xc_te_options options(int k = 4, int th = 1, int sh = 1, int theiler = 0) {
  xc_te_options o{};
  o.size = sizeof o, o.estimator = XC_TE_KSG1, o.k = k, o.target_history = th, o.source_history = sh, o.theiler = theiler;
  o.target_tau = o.source_tau = o.delay = o.normalise = 1;
  return o;
}
static double pair_te(const Columns& c, int x, int y, int k, int theiler, const int32_t* rows) {
  const KsgProblem p{c.n, c.future_of(y), c.past_of(y), c.source_of(x), 1, c.past_dims, c.source_dims, k, theiler};
  std::vector<KsgCounts> counts(c.n);
  KsgCpu(p).counts(rows, counts.data(), Control());
  return ksg_value(counts.data(), c.n, k, digamma_table(c.n + 1), nullptr);
}

#if XCORE_CUDA
static void check_ksg(int32_t v, int64_t n, const xc_te_options& o, bool single, int samples, double quantum = 0) {
  auto values = var_network(v, n, 3);
  if (quantum > 0) for (double& x : values) x = std::round(x / quantum) * quantum;
  const Columns c = embed_all(values.data(), v, n, o);
  std::vector<int32_t> rows(40 * c.n);
  for (int s = 0; s < 40; ++s) permutation(5, s, c.n, rows.data() + s * c.n);
  auto pairs = ksg_pairs_cuda(0, {&c, o.k, o.theiler, rows.data(), 40}, single);
  std::vector<double> te(static_cast<size_t>(v) * v);
  pairs->prepare(0, v, Control());
  pairs->originals(te.data(), Control());
  double worst = 0, worst_surrogate = 0;
  for (int s = 0; s < samples; ++s) {
    const int x = (s * 7 + 1) % v, y = (s * 13 + 5) % v;
    if (x == y) continue;
    worst = std::max(worst, std::fabs(te[y * v + x] - pair_te(c, x, y, o.k, o.theiler, nullptr)));
  }
  const std::vector<Pair> some{{1, 0}, {v - 1, 2}, {3, v - 2}};
  std::vector<double> st(3 * 37);
  pairs->surrogates(some.data(), 3, 2, 37, st.data(), Control());
  for (int p = 0; p < 3; ++p)
    for (int s : {0, 31, 33, 36})
      worst_surrogate = std::max(worst_surrogate, std::fabs(st[p * 37 + s] - pair_te(c, some[p].source, some[p].target, o.k, o.theiler, rows.data() + (2 + s) * c.n)));
  std::printf("check V=%d N=%lld k=%d hist=%d,%d theiler=%d %s q=%.2g: |d| %.2e surrogates %.2e\n", v, (long long)n, o.k, o.target_history, o.source_history,
              o.theiler, single ? "f32" : "f64", quantum, worst, worst_surrogate);
  std::fflush(stdout);
}
static void time_ksg(int32_t v, int64_t n, const xc_te_options& o, bool single, int repeats) {
  const auto values = var_network(v, n, 3);
  std::vector<double> te(static_cast<size_t>(v) * v);
  for (int r = 0; r < repeats; ++r) {
    const double t0 = now_ms();
    const Columns c = embed_all(values.data(), v, n, o);
    const double t1 = now_ms();
    auto pairs = ksg_pairs_cuda(0, {&c, o.k, o.theiler, nullptr, 0}, single);
    const double t2 = now_ms();
    const int group = pairs->targets_at_once();
    double tl = 0;
    for (int from = 0; from < v; from += group) {
      const int to = std::min(v, from + group);
      pairs->prepare(from, to, Control());
      pairs->originals(te.data() + static_cast<int64_t>(from) * v, Control());
    }
    const double t3 = now_ms();
    std::printf("time V=%d N=%lld k=%d hist=%d,%d %s: total %.2f ms (embed %.2f, prepare %.2f, rest %.2f)\n", v, (long long)n, o.k, o.target_history,
                o.source_history, single ? "f32" : "f64", t3 - t0, t1 - t0, t2 - t1, t3 - t2 + tl);
    std::fflush(stdout);
  }
}
int main(int argc, char** argv) {
  std::printf("threads %d\n", thread_pool().threads());
  const char* what = argc > 1 ? argv[1] : "all";
  const bool all = !std::strcmp(what, "all");
  try {
    if (all || !std::strcmp(what, "check")) {
      check_ksg(40, 300, options(), true, 60);
      check_ksg(40, 300, options(), false, 60);
      check_ksg(33, 100, options(), true, 60);
      check_ksg(40, 1000, options(), true, 60);
      check_ksg(40, 1000, options(4, 1, 1, 7), false, 60);
      check_ksg(20, 300, options(7, 2, 2, 3), false, 40);
      check_ksg(20, 300, options(1, 2, 1), false, 40);
      check_ksg(20, 300, options(12, 1, 2), true, 40);
      check_ksg(20, 300, options(32, 3, 3), false, 40);
      check_ksg(20, 400, options(), false, 40, 0.25);
      check_ksg(20, 400, options(), false, 40, 2);
      check_ksg(12, 5000, options(), true, 20);
      check_ksg(12, 10000, options(), true, 20);
      check_ksg(6, 20000, options(), false, 6);
    }
    if (!std::strcmp(what, "small")) {
      check_ksg(34, 150, options(), true, 20);
      check_ksg(20, 300, options(7, 2, 2, 3), true, 10);
      check_ksg(10, 400, options(), false, 10, 2);
      check_ksg(5, 4500, options(4, 1, 1, 2), true, 4);
    }
    if (all || !std::strcmp(what, "linear")) {
      const auto values = var_network(50, 500, 3);
      for (int h : {1, 2}) {
        auto o = options(4, h, h);
        std::vector<double> te(2500), cpu(2500);
        gaussian_pairs_cuda(0, values.data(), 50, 500, o, 0, 50, te.data(), Control());
        double worst = 0;
        for (int y = 0; y < 50; y += 3)
          for (int x = 0; x < 50; x += 2) {
            if (x == y) continue;
            const auto e = embed({values.data() + x * 500, 1, 0}, {values.data() + y * 500, 1, 0}, {nullptr, 0, 0}, 500, o);
            worst = std::max(worst, std::fabs(te[y * 50 + x] - gaussian_te(e, nullptr)));
          }
        std::printf("gaussian hist %d |d| %.2e\n", h, worst);
        const auto b = binned_columns(values.data(), 50, 500, o, h == 1 ? 8 : 4, h == 1);
        binned_pairs_cuda(0, values.data(), 50, 500, o, h == 1 ? 8 : 4, h == 1, 0, 50, te.data(), Control());
        binned_pairs_cpu(b, 0, 50, cpu.data(), Control());
        worst = 0;
        for (int m = 0; m < 2500; ++m) worst = std::max(worst, std::fabs(te[m] - cpu[m]));
        std::printf("binned hist %d |d| %.2e (te[1] %.4f)\n", h, worst, te[1]);
      }
      const auto big = var_network(1000, 1000, 3);
      std::vector<double> te(1000000);
      for (int r = 0; r < 4; ++r) {
        const double t0 = now_ms();
        gaussian_pairs_cuda(0, big.data(), 1000, 1000, options(), 0, 1000, te.data(), Control());
        const double t1 = now_ms();
        binned_pairs_cuda(0, big.data(), 1000, 1000, options(), 8, false, 0, 1000, te.data(), Control());
        const double t2 = now_ms();
        binned_pairs_cuda(0, big.data(), 1000, 1000, options(), 8, true, 0, 1000, te.data(), Control());
        std::printf("gaussian %.2f ms; binned %.2f ms (equal-frequency %.2f)\n", t1 - t0, t2 - t1, now_ms() - t2);
      }
    }
    if (all || !std::strcmp(what, "time")) {
      for (const char* stragglers : {"1", "2", "3", "5"}) {
        std::printf("stragglers %s\n", stragglers);
        setenv("XTN_STRAGGLERS", stragglers, 1);
        time_ksg(1000, 1000, options(), true, 2);
        time_ksg(1000, 200, options(), true, 2);
        time_ksg(300, 10000, options(), true, 1);
      }
      unsetenv("XTN_STRAGGLERS");
      setenv("XTN_CAP", "256", 1);
      time_ksg(1000, 1000, options(), true, 2);
      setenv("XTN_CAP", "128", 1);
      time_ksg(300, 10000, options(), true, 1);
      unsetenv("XTN_CAP");
      time_ksg(1000, 1000, options(), true, 4);
      {
        const auto values = var_network(100, 1000, 3);
        const Columns c = embed_all(values.data(), 100, 1000, options());
        std::vector<int32_t> rows(200 * c.n);
        for (int r = 0; r < 2; ++r) {
          const double t0 = now_ms();
          for (int s = 0; s < 200; ++s) permutation(5, s, c.n, rows.data() + s * c.n);
          auto pairs = ksg_pairs_cuda(0, {&c, 4, 0, rows.data(), 200}, true);
          std::vector<Pair> all_pairs;
          for (int y = 0; y < 100; ++y) for (int x = 0; x < 100; ++x) if (x != y) all_pairs.push_back({x, y});
          std::vector<double> te(all_pairs.size() * 200);
          pairs->prepare(0, 100, Control());
          pairs->surrogates(all_pairs.data(), all_pairs.size(), 0, 200, te.data(), Control());
          std::printf("V=100 N=1000 200 surrogates: %.1f ms\n", now_ms() - t0);
        }
      }
      time_ksg(1000, 200, options(), true, 3);
      time_ksg(1000, 10000, options(), true, 2);
      time_ksg(1000, 1000, options(), false, 2);
      time_ksg(1000, 1000, options(4, 2, 2), true, 2);
    }
    if (!std::strcmp(what, "profile")) time_ksg(1000, 1000, options(), true, 1);
  } catch (const std::exception& e) {
    std::printf("FAILED %s\n", e.what());
    return 1;
  }
}
#else
int main() {}
#endif
