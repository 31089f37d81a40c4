#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/cpu_features.hpp"
#include "runtime/thread_pool.hpp"
#include "te/ksg/ksg_scan.hpp"

namespace xcore::te {
namespace {

struct Portable {
  using type = double;
  static constexpr int width = 1;
  static type load(const double* p) { return *p; }
  static type set(double x) { return x; }
  static type absdiff(type a, type b) { return abs_of(a - b); }
  static type max(type a, type b) { return larger(a, b); }
  static uint32_t less(type a, type b) { return a < b; }
  static void store(double* p, type a) { *p = a; }
};

KsgScanFunction scan_function() {
#if defined(__x86_64__)
  if (cpu_features().level >= CpuLevel::avx512) return ksg_scan_avx512;
  if (cpu_features().level >= CpuLevel::avx2) return ksg_scan_avx2;
#endif
  return ksg_scan_portable;
}

// The column of P whose windows will be smallest: the widest one.
int32_t widest_column(const KsgProblem& p) {
  int32_t widest = 0;
  double best = -1;
  for (int32_t c = 0; c < p.past_dims; ++c) {
    const double* x = p.past + c * p.n;
    const double mean = std::accumulate(x, x + p.n, 0.0) / static_cast<double>(p.n);
    const double spread =
        std::accumulate(x, x + p.n, 0.0, [mean](double sum, double v) { return sum + std::fabs(v - mean); });
    if (spread > best) best = spread, widest = c;
  }
  return widest;
}

void gather(const double* column, const int32_t* rows, int64_t n, double* out) {
  for (int64_t r = 0; r < n; ++r) out[r] = column[rows[r]];
}

// Smaller chunks than any 50 ms of work, larger than the cost of handing one out.
constexpr int64_t kGrain = 64;

}  // namespace

void ksg_scan_portable(const KsgScan& scan, int64_t begin, int64_t end, KsgCounts* out) {
  scan_any<Portable>(scan, begin, end, out);
}

KsgCpu::KsgCpu(const KsgProblem& problem) : problem_(problem), order_(problem.n), rank_of_(problem.n) {
  const int64_t n = problem.n;
  const int32_t sorted = widest_column(problem);
  const double* key = problem.past + sorted * n;
  std::vector<std::pair<double, int32_t>> keys(n);
  for (int64_t i = 0; i < n; ++i) keys[i] = {key[i], static_cast<int32_t>(i)};
  std::sort(keys.begin(), keys.end());
  for (int64_t r = 0; r < n; ++r) order_[r] = keys[r].second, rank_of_[keys[r].second] = static_cast<int32_t>(r);
  columns_.resize(static_cast<size_t>(problem.past_dims + problem.future_dims) * n);
  for (int32_t c = 0; c < problem.past_dims; ++c) {
    const int32_t from = c == 0 ? sorted : c == sorted ? 0 : c;
    gather(problem.past + from * n, order_.data(), n, columns_.data() + c * n);
  }
  for (int32_t c = 0; c < problem.future_dims; ++c)
    gather(problem.future + c * n, order_.data(), n, columns_.data() + (problem.past_dims + c) * n);
}

void KsgCpu::counts(const int32_t* permutation, KsgCounts* out, const Control& control) const {
  const int64_t n = problem_.n;
  std::vector<int32_t> rows;
  if (permutation) {
    rows.resize(n);
    for (int64_t r = 0; r < n; ++r) rows[r] = permutation[order_[r]];
  }
  std::vector<double> source(static_cast<size_t>(problem_.source_dims) * n);
  for (int32_t c = 0; c < problem_.source_dims; ++c)
    gather(problem_.source + c * n, permutation ? rows.data() : order_.data(), n, source.data() + c * n);
  const KsgScanFunction scan_ranks_of = scan_function();
  thread_pool().parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    std::vector<double> best(problem_.k);
    const KsgScan scan{n, columns_.data(), columns_.data() + problem_.past_dims * n, source.data(), order_.data(), rank_of_.data(),
                       problem_.past_dims, problem_.future_dims, problem_.source_dims, problem_.k, problem_.theiler,
                       best.data()};
    for (int64_t at = begin; at < end; at += kGrain) {
      control.throw_if_cancelled();
      scan_ranks_of(scan, at, std::min(at + kGrain, end), out);
    }
  });
}

}  // namespace xcore::te
