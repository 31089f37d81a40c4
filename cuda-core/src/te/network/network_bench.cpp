// All ordered pairs of a network by KSG, host to host: embedding, upload, lists, pairs, download. Medians of warm calls. Beside
// each figure of fp32 its largest difference from fp64 on the same device, over as many targets as a moment allows.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "te/bench.hpp"
#include "te/network/network.hpp"
#include "te/network/testing_network.hpp"

namespace xcore::te {
namespace {

struct Shape {
  int32_t variables;
  int64_t samples;
  int32_t k = 4, history = 1, surrogates = 0;
};

constexpr double kComparedTuples = 2e9;  // tuples of pairs that the comparison with fp64 may cost

xc_te_network_options options_of(const Shape& s, bool cuda, int32_t precision) {
  xc_te_network_options o{};
  o.size = sizeof o, o.estimator = XC_TE_NETWORK_KSG1, o.k = s.k;
  o.target_history = o.source_history = s.history, o.target_tau = o.source_tau = 1;
  o.surrogates = s.surrogates;
  o.min_delay = o.max_delay = o.normalise = 1, o.bins = 8, o.precision = precision;
  o.device = {cuda ? XC_DEVICE_CUDA : XC_DEVICE_CPU, 0};
  return o;
}

void row(const Shape& s, bool cuda) {
  const auto values = sparse_var(s.variables, s.samples, 5);
  std::vector<double> te(static_cast<size_t>(s.variables) * s.variables), p(s.surrogates ? te.size() : 0);
  const auto run = [&](const xc_te_network_options& o, std::vector<double>& out) {
    xc_te_network_result result{};
    const auto start = std::chrono::steady_clock::now();
    network(values.data(), s.variables, s.samples, o, out.data(), o.surrogates ? p.data() : nullptr, nullptr, result, Control());
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  const auto single = options_of(s, cuda, cuda ? XC_TE_F32 : XC_TE_F64);
  const double first = run(single, te);  // cold
  std::vector<double> ms;
  for (double spent = 0; ms.size() < 9 && (ms.empty() || spent + first < 3000); spent += ms.back()) ms.push_back(run(single, te));
  std::nth_element(ms.begin(), ms.begin() + static_cast<int64_t>(ms.size() / 2), ms.end());
  const double median = ms[ms.size() / 2], pairs = static_cast<double>(s.variables) * (s.variables - 1);
  std::printf("%9d %7lld %3d %7d %10.2f %9.4f", s.variables, static_cast<long long>(s.samples), s.k, s.history, median,
              1e6 * median / (pairs * static_cast<double>(s.samples)));
  if (cuda) {
    auto exact = options_of(s, true, XC_TE_F64);
    exact.surrogates = 0;
    exact.to = std::clamp(static_cast<int32_t>(kComparedTuples / (static_cast<double>(s.variables) * s.samples)), 1, s.variables);
    std::vector<double> other(te.size());
    run(exact, other);
    double worst = 0;
    for (int32_t x = 0; x < s.variables; ++x)
      for (int32_t y = 0; y < exact.to; ++y)
        worst = std::max(worst, std::fabs(te[static_cast<size_t>(x) * s.variables + y] - other[static_cast<size_t>(x) * s.variables + y]));
    std::printf("   %8.1e of %d targets", worst, exact.to);
  }
  std::printf("\n");
  std::fflush(stdout);
}

void heading(bool cuda) {
  std::printf("KSG, all ordered pairs, %s, %d threads\n", cuda ? "CUDA fp32" : "CPU fp64", thread_pool().threads());
  std::printf("variables samples   k history  median_ms ns_a_pair_and_sample%s\n", cuda ? "  |fp32 - fp64|" : "");
}

}  // namespace

void bench_network(bool cuda, int variables, long samples, int k, int history) {
  heading(cuda);
  row({variables, samples, k, history}, cuda);
}

void bench_network(bool cuda) {
  heading(cuda);
  const int32_t many = cuda ? 1000 : 100, some = cuda ? 300 : 40;
  const std::vector<Shape> aims = cuda ? std::vector<Shape>{{1000, 1000}, {1000, 200}, {1000, 10000}} : std::vector<Shape>{{200, 1000}};
  for (const Shape& s : aims) row(s, cuda);
  std::printf("with 200 surrogates a pair\n");
  row({many / 10, 1000, 4, 1, 200}, cuda);
  std::printf("growth with V\n");
  for (const int32_t v : {many / 10, many * 3 / 10, many}) row({v, 1000}, cuda);
  std::printf("growth with N\n");
  for (const int64_t n : {200, 1000, 3000, 10000}) row({some, n}, cuda);
  std::printf("growth with k\n");
  for (const int32_t k : {2, 4, 8, 16}) row({some, 1000, k}, cuda);
  std::printf("growth with the histories of source and target\n");
  for (const int32_t h : {1, 2, 3}) row({some, 1000, 4, h}, cuda);
}

}  // namespace xcore::te
