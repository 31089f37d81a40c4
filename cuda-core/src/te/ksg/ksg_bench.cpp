// One pair and surrogates on this machine's CPU, medians of wall time.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "runtime/thread_pool.hpp"
#include "te/bench.hpp"
#include "te/estimate/estimate.hpp"
#include "te/testing_options.hpp"
#include "te/testing_series.hpp"

namespace xcore::te {
namespace {

double median_ms(int repeats, const xc_te_options& o, const std::vector<double>& x, const std::vector<double>& y) {
  std::vector<double> times;
  for (int r = -3; r < repeats; ++r) {
    const auto start = std::chrono::steady_clock::now();
    estimate({x.data(), 1, 0}, {y.data(), 1, 0}, {nullptr, 0, 0}, static_cast<int64_t>(x.size()), o, false, Control());
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    if (r >= 0) times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

void bench_pair() {
  const int all = thread_pool().threads();
  std::printf("samples history surrogates threads median_ms\n");
  for (const int threads : {1, all}) {
    thread_pool().set_threads(threads);
    for (const int64_t n : {int64_t{1000}, int64_t{10000}}) {
      const auto [x, y] = coupled_ar(n, 0.4, 1);
      for (const int history : {1, 2}) {
        for (const int surrogates : {0, 100}) {
          if (n > 1000 && surrogates) continue;
          xc_te_options o = default_options();
          o.target_history = o.source_history = history, o.surrogates = surrogates;
          const double ms = median_ms(surrogates ? 7 : n > 1000 ? 31 : 201, o, x, y);
          std::printf("%7lld %7d %10d %7d %9.3f\n", static_cast<long long>(n), history, surrogates, threads, ms);
        }
      }
    }
  }
}

void bench_pair_devices() {
  std::printf("samples history surrogates %d threads, ms  first GPU, ms\n", thread_pool().threads());
  for (const int64_t n : {1000, 3000, 10000, 30000, 100000}) {
    const auto [x, y] = coupled_ar(n, 0.4, 1);
    for (const int history : {1, 2}) {
      for (const int surrogates : {0, 10, 100}) {
        if (n * surrogates > 1000000) continue;
        xc_te_options o = default_options();
        o.target_history = o.source_history = history, o.surrogates = surrogates;
        const int repeats = n * (1 + surrogates) > 100000 ? 3 : 11;
        o.device = {XC_DEVICE_CPU, 0};
        const double cpu = median_ms(repeats, o, x, y);
        o.device = {XC_DEVICE_CUDA, 0};
        std::printf("%7lld %7d %10d %15.3f %14.3f\n", static_cast<long long>(n), history, surrogates, cpu, median_ms(repeats, o, x, y));
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace xcore::te
