#include "te/ksg/ksg.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/cpu_features.hpp"
#include "runtime/thread_pool.hpp"
#include "te/ksg/target_index.hpp"
#include "te/ksg/ksg_scan.hpp"
#include "te/surrogates/permutation.hpp"
#include "te/testing_series.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::te;

namespace {

struct Data {
  std::vector<double> future, past, source;
  KsgProblem problem;
  std::vector<int32_t> rows;
};

struct Shape {
  int64_t n;
  int32_t future, past, source, k, theiler;
  double grid;  // 0: continuous; otherwise values are multiples of it, with many exact ties
};

Data make(const Shape& s, uint64_t seed, int32_t algorithm = 1, bool single = false) {
  Data d;
  Philox random(seed, 3);
  const auto fill = [&](std::vector<double>& v, int32_t dims) {
    v.resize(dims * s.n);
    for (double& x : v) {
      x = random.next_normal();
      if (s.grid > 0) x = std::round(x / s.grid) * s.grid;
    }
  };
  fill(d.past, s.past);
  fill(d.source, s.source);
  fill(d.future, s.future);
  for (int64_t i = 0; i < s.n; ++i) d.future[i] += 0.5 * d.source[i] + (s.past > 0 ? 0.7 * d.past[i] : 0);
  d.problem = {s.n,      d.future.data(), d.past.data(), d.source.data(), s.future, s.past,
               s.source, s.k,             s.theiler,     nullptr,         algorithm, single};
  d.rows.resize(s.n);
  permutation(seed, 1, s.n, d.rows.data());
  return d;
}

class Ksg : public xcore::testing::BackendTest {
 protected:
  std::vector<KsgCounts> counts(const KsgProblem& p, const int32_t* rows) {
    std::vector<KsgCounts> out(p.n);
    if (on_cuda()) {
#if XCORE_CUDA
      ksg_counts_cuda(0, p, rows, 1, out.data(), Control());
#endif
    } else {
      KsgCpu(p).counts(rows, out.data(), Control());
    }
    return out;
  }
};

const Shape shapes[] = {{5, 1, 1, 1, 4, 0, 0},       {64, 1, 1, 1, 1, 0, 0},   {301, 1, 1, 1, 4, 0, 0},
                        {301, 1, 1, 1, 4, 10, 0},    {257, 1, 2, 2, 4, 3, 0},  {200, 2, 3, 2, 7, 0, 0},
                        {301, 1, 1, 1, 4, 0, 0.25},  {301, 1, 1, 1, 10, 0, 1}, {150, 1, 2, 1, 4, 2, 0.5},
                        {130, 1, 1, 1, 32, 0, 0},    {40, 1, 1, 1, 4, 0, 100}, {129, 1, 4, 4, 3, 0, 0},
                        {301, 1, 0, 1, 4, 0, 0},     {257, 2, 0, 3, 9, 4, 0},  {201, 1, 0, 2, 4, 0, 0.25},
                        {1500, 1, 1, 1, 4, 0, 0},    {700, 1, 9, 9, 3, 0, 0}};

TEST_P(Ksg, counts_equal_the_definition_for_every_shape_tie_and_window) {
  for (const int32_t algorithm : {1, 2}) {
    for (const bool single : {false, true}) {
      for (const Shape& s : shapes) {
        const Data d = make(s, 1 + s.n, algorithm, single);
        std::vector<KsgCounts> expected(s.n);
        for (const int32_t* rows : {static_cast<const int32_t*>(nullptr), d.rows.data()}) {
          ksg_counts_ref(d.problem, rows, expected.data());
          const auto got = counts(d.problem, rows);
          for (int64_t i = 0; i < s.n; ++i)
            ASSERT_TRUE(got[i] == expected[i])
                << "algorithm " << algorithm << " n " << s.n << " dims " << s.future << s.past << s.source << " tuple " << i << ": "
                << got[i].past << ' ' << got[i].source_past << ' ' << got[i].future_past << " instead of "
                << expected[i].past << ' ' << expected[i].source_past << ' ' << expected[i].future_past;
        }
      }
    }
  }
}

TEST_P(Ksg, series_that_were_pooled_have_theiler_windows_of_their_own) {
  Data d = make({200, 1, 1, 1, 4, 6, 0}, 3);
  std::vector<int32_t> time(200);
  for (int i = 0; i < 200; ++i) time[i] = i < 80 ? i : i < 150 ? i + 7 : i + 14;  // apart by more than 6
  d.problem.time = time.data();
  for (const int32_t algorithm : {1, 2}) {
    d.problem.algorithm = algorithm;
    std::vector<KsgCounts> expected(200);
    ksg_counts_ref(d.problem, nullptr, expected.data());
    EXPECT_TRUE(counts(d.problem, nullptr) == expected);
  }
}

TEST_P(Ksg, one_column_of_p_that_is_constant_or_huge_changes_nothing_but_speed) {
  Data d = make({300, 1, 2, 1, 4, 0, 0}, 5);
  std::fill(d.past.begin(), d.past.begin() + 300, 1e6);
  std::vector<KsgCounts> expected(300);
  ksg_counts_ref(d.problem, nullptr, expected.data());
  const auto got = counts(d.problem, nullptr);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), expected.begin()));
}
XC_INSTANTIATE_BACKENDS(Ksg);

#if XCORE_CUDA
TEST_P(Ksg, a_batch_of_permutations_equals_them_one_by_one) {
  if (!on_cuda()) GTEST_SKIP() << "SKIPPED BACKEND cpu: batches exist on CUDA only";
  const Data d = make({500, 1, 1, 1, 4, 0, 0}, 2);
  std::vector<int32_t> rows(3 * 500);
  for (int s = 0; s < 3; ++s) permutation(9, s, 500, rows.data() + s * 500);
  std::vector<KsgCounts> together(3 * 500), expected(500);
  ksg_counts_cuda(0, d.problem, rows.data(), 3, together.data(), Control());
  for (int s = 0; s < 3; ++s) {
    ksg_counts_ref(d.problem, rows.data() + s * 500, expected.data());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), together.begin() + s * 500)) << s;
  }
}
#endif

TEST(KsgScan, every_instruction_set_gives_the_same_counts) {
  std::vector<const KsgScanFunctions*> sets{&ksg_scan_portable()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) sets.push_back(&ksg_scan_avx2());
  if (cpu_features().avx512) sets.push_back(&ksg_scan_avx512());
#endif
  for (const int32_t algorithm : {1, 2}) {
    for (const Shape& s : {Shape{333, 1, 1, 1, 4, 0, 0.1}, Shape{333, 1, 2, 2, 6, 3, 0}, Shape{333, 1, 0, 2, 4, 0, 0}}) {
      const Data d = make(s, 4, algorithm);
      std::vector<KsgCounts> expected(s.n), got(s.n);
      ksg_counts_ref(d.problem, nullptr, expected.data());
      const TargetIndex<double> target(d.problem);
      const SourceIndex<double> source(d.source.data(), s.source, s.n);
      const TargetIndex<float> target32(d.problem);
      const SourceIndex<float> source32(d.source.data(), s.source, s.n);
      std::vector<KsgCounts> first32;
      for (const auto* set : sets) {
        target.scan(source, nullptr, {s.k, s.theiler, algorithm, set}, got.data(), Control());
        EXPECT_TRUE(got == expected);
        target32.scan(source32, nullptr, {s.k, s.theiler, algorithm, set}, got.data(), Control());
        if (first32.empty()) first32 = got;
        EXPECT_TRUE(got == first32);
      }
    }
  }
}

TEST(KsgScan, ranks_beyond_16_bits_count_alike) {
  // Two columns of 70,000 tuples, and the same tuples cut to a part that 16 bits hold: in the middle of a long ramp the
  // neighbourhoods are the same.
  const int64_t n = 70000, part = 3000;
  std::vector<double> f(n), p(n), s(n);
  Philox random(3);
  for (int64_t i = 0; i < n; ++i) p[i] = 0.5 * static_cast<double>(i), f[i] = random.next_double(), s[i] = random.next_double();
  const KsgProblem all{n, f.data(), p.data(), s.data(), 1, 1, 1, 4, 0, nullptr, 1, false};
  const KsgProblem few{part, f.data(), p.data(), s.data(), 1, 1, 1, 4, 0, nullptr, 1, false};
  std::vector<KsgCounts> long_counts(n), short_counts(part);
  KsgCpu(all).counts(nullptr, long_counts.data(), Control());
  KsgCpu(few).counts(nullptr, short_counts.data(), Control());
  EXPECT_TRUE(std::equal(short_counts.begin(), short_counts.end() - 100, long_counts.begin()));
}

// The plausible mistakes, each of which gives another number; were one made, the comparison with published values
// could not hold.
enum class Mutation { none, not_strict, no_plus_one, self_twice, euclidean };
double mutated(const std::vector<double>& f, const std::vector<double>& p, const std::vector<double>& s, Mutation mutation) {
  const int64_t n = static_cast<int64_t>(f.size());
  const auto psi = digamma_table(n + 2);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<double> joint;
    for (int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const double a = std::fabs(f[i] - f[j]), b = std::fabs(p[i] - p[j]), c = std::fabs(s[i] - s[j]);
      joint.push_back(mutation == Mutation::euclidean ? std::sqrt(a * a + b * b + c * c) : std::max({a, b, c}));
    }
    std::sort(joint.begin(), joint.end());
    const double eps = joint[3];
    int np = 0, nsp = 0, nfp = 0;
    const auto near = [&](double d) { return mutation == Mutation::not_strict ? d <= eps : d < eps; };
    for (int64_t j = 0; j < n; ++j) {
      if (j == i || !near(std::fabs(p[i] - p[j]))) continue;
      ++np;
      nsp += near(std::fabs(s[i] - s[j]));
      nfp += near(std::fabs(f[i] - f[j]));
    }
    const int plus = mutation == Mutation::no_plus_one ? 0 : mutation == Mutation::self_twice ? 2 : 1;
    sum += psi[std::max(1, np + plus)] - psi[std::max(1, nsp + plus)] - psi[std::max(1, nfp + plus)];
  }
  return psi[4] + sum / static_cast<double>(n);
}

TEST(KsgValue, every_known_mistake_of_the_formula_is_told_apart) {
  auto [x, y] = coupled_ar(400, 0.5, 1);
  const int64_t n = 399;
  const std::vector<double> f(y.begin() + 1, y.end()), p(y.begin(), y.end() - 1), s(x.begin(), x.end() - 1);
  const KsgProblem problem{n, f.data(), p.data(), s.data(), 1, 1, 1, 4, 0, nullptr, 1, false};
  std::vector<KsgCounts> counts(n);
  KsgCpu(problem).counts(nullptr, counts.data(), Control());
  const double te = ksg_value(problem, counts.data(), digamma_table(n + 1), nullptr);
  EXPECT_NEAR(te, mutated(f, p, s, Mutation::none), 1e-12);
  for (const auto mutation : {Mutation::not_strict, Mutation::no_plus_one, Mutation::self_twice, Mutation::euclidean})
    EXPECT_GT(std::fabs(te - mutated(f, p, s, mutation)), 0.02) << static_cast<int>(mutation);
}

TEST(KsgValue, locals_have_the_estimate_as_their_mean) {
  const Data d = make({200, 1, 1, 1, 4, 0, 0}, 8);
  std::vector<KsgCounts> counts(200);
  KsgCpu(d.problem).counts(nullptr, counts.data(), Control());
  std::vector<double> locals(200);
  const double te = ksg_value(d.problem, counts.data(), digamma_table(201), locals.data());
  EXPECT_NEAR(std::accumulate(locals.begin(), locals.end(), 0.0) / 200, te, 1e-12);
}

TEST(KsgCpuThreads, the_number_of_threads_does_not_show) {
  const Data d = make({1000, 1, 1, 1, 4, 0, 0}, 6);
  const int before = thread_pool().threads();
  std::vector<KsgCounts> one(1000), many(1000);
  thread_pool().set_threads(1);
  KsgCpu(d.problem).counts(nullptr, one.data(), Control());
  thread_pool().set_threads(4);
  KsgCpu(d.problem).counts(nullptr, many.data(), Control());
  thread_pool().set_threads(before);
  EXPECT_TRUE(std::equal(one.begin(), one.end(), many.begin()));
}

}  // namespace
