#include "thermo/context_belief/context_belief.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "runtime/cpu_features.hpp"
#include "runtime/error.hpp"
#include "runtime/philox.hpp"

using namespace xcore;
using namespace xcore::thermo;

namespace {

using Vector = std::vector<double>;
constexpr double kCommon = 3, kOwn = 10;

double normal(Philox& random) {
  return std::sqrt(-2 * std::log(1 - random.next_double())) * std::cos(2 * M_PI * random.next_double());
}

// A block as it is beforehand.
struct Belief {
  Belief(int32_t models, int32_t size)
      : block(XC_THERMO_CONTEXT_BLOCK(models, size)), seen(models), context{models, size, kOwn, block.data(), seen.data()} {
    identity(models, kCommon);
  }
  void identity(int32_t m, double precision) {
    const int32_t stride = XC_THERMO_CONTEXT_STRIDE(context.size);
    double* root = block.data() + static_cast<int64_t>(m) * (context.size + 1) * stride;
    for (int32_t i = 0; i < context.size; ++i) root[i * stride + i] = 1 / std::sqrt(precision);
  }
  double observe(int32_t m, const Vector& x, double y) {
    if (!seen[m]) identity(m, kOwn);
    seen[m] = 1;
    return context_observe(context, m, x.data(), y);
  }
  Vector block;
  std::vector<uint8_t> seen;
  xc_thermo_context context;
};

struct Outcome {
  int32_t model;
  Vector x;
  double y;
};

std::vector<Outcome> outcomes(int count, int32_t models, int32_t size, uint64_t seed) {
  Philox random(seed);
  std::vector<Outcome> out;
  for (int i = 0; i < count; ++i) {
    Vector x(size);
    for (double& v : x) v = normal(random);
    out.push_back({i % models, x, 0.3 * x[0] - 0.2 * x[size - 1] * (i % models) + 0.3 * normal(random)});
  }
  return out;
}

// The definition: all weights [w, v_0, v_1, ...] in one regression, solved by Gauss elimination with right sides `pull` and `at`.
struct Exact {
  Exact(int32_t models, int32_t size, const std::vector<Outcome>& seen) : models(models), size(size) {
    const int32_t n = (models + 1) * size;
    precision.assign(static_cast<size_t>(n) * n, 0);
    pull.assign(n, 0);
    for (int32_t i = 0; i < n; ++i) precision[i * n + i] = i < size ? kCommon : kOwn;
    for (const Outcome& o : seen) {
      const Vector r = row(o.model, o.x.data());
      for (int32_t i = 0; i < n; ++i) {
        pull[i] += r[i] * o.y;
        for (int32_t j = 0; j < n; ++j) precision[i * n + j] += r[i] * r[j];
      }
    }
  }
  Vector row(int32_t m, const double* x) const {
    Vector r((models + 1) * size);
    for (int32_t k = 0; k < size; ++k) r[k] = r[(m + 1) * size + k] = x[k];
    return r;
  }
  Vector solve(Vector b) const {
    const auto n = static_cast<int32_t>(b.size());
    Vector a = precision;
    for (int32_t i = 0; i < n; ++i)
      for (int32_t k = i + 1; k < n; ++k) {
        const double factor = a[k * n + i] / a[i * n + i];
        for (int32_t j = i; j < n; ++j) a[k * n + j] -= factor * a[i * n + j];
        b[k] -= factor * b[i];
      }
    for (int32_t i = n - 1; i >= 0; --i) {
      for (int32_t j = i + 1; j < n; ++j) b[i] -= a[i * n + j] * b[j];
      b[i] /= a[i * n + i];
    }
    return b;
  }
  static double product(const Vector& a, const Vector& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
  double mean(const Vector& at) const { return product(at, solve(pull)); }
  double variance(const Vector& at) const { return product(at, solve(at)); }

  int32_t models, size;
  Vector precision, pull;
};

}  // namespace

// outcomes, models, regressors
class ContextBelief : public ::testing::TestWithParam<std::tuple<int, int32_t, int32_t>> {};

TEST_P(ContextBelief, is_the_exact_posterior_of_the_hierarchical_regression) {
  const auto [count, models, size] = GetParam();
  const auto seen = outcomes(count, models - 1, size, 7);  // the last model is never seen
  Belief belief(models, size);
  for (const Outcome& o : seen) belief.observe(o.model, o.x, o.y);
  const Exact exact(models, size, seen);
  Philox random(3);
  Vector x(size), shifts(models), variances(models), directions(static_cast<size_t>(models) * size);
  for (double& v : x) v = normal(random);
  context_predict(belief.context, x.data(), shifts.data(), variances.data());
  Vector sum((models + 1) * size);
  Vector weights(static_cast<size_t>(models) * size);
  context_draw(belief.context, 0, nullptr, weights.data());
  for (int32_t m = 0; m < models; ++m) {
    const Vector at = exact.row(m, x.data());
    EXPECT_NEAR(shifts[m], exact.mean(at), 1e-10);
    EXPECT_NEAR(variances[m], exact.variance(at), 1e-10);
    double drawn = 0;
    for (int32_t k = 0; k < size; ++k) drawn += x[k] * weights[m * size + k];
    EXPECT_NEAR(drawn, shifts[m], 1e-10);
    for (int32_t k = 0; k < size; ++k) directions[m * size + k] = (m % 2 ? -1 : 1) * x[k];
    for (size_t k = 0; k < sum.size(); ++k) sum[k] += (m % 2 ? -1 : 1) * at[k];
  }
  EXPECT_NEAR(context_variance_along(belief.context, directions.data()), exact.variance(sum), 1e-10);
}

INSTANTIATE_TEST_SUITE_P(sizes, ContextBelief,
                         ::testing::Values(std::tuple{1, 3, 4}, std::tuple{7, 4, 4}, std::tuple{200, 3, 5}, std::tuple{150, 2, 8},
                                           std::tuple{60, 3, 17}));

TEST(ContextBelief, surprises_are_errors_over_the_variance_that_was_forecast) {
  Belief belief(2, 3);
  for (const Outcome& o : outcomes(30, 2, 3, 5)) {
    Vector shifts(2), variances(2);
    context_predict(belief.context, o.x.data(), shifts.data(), variances.data());
    const double error = o.y - shifts[o.model];
    // Before the model's first outcome its root is read as the prior's, which is what predict says of unseen models.
    EXPECT_NEAR(belief.observe(o.model, o.x, o.y), error * error / (1 + variances[o.model]), 1e-12);
  }
}

TEST(ContextBelief, draws_have_the_mean_and_the_covariance_that_are_predicted) {
  const int32_t models = 3, size = 3;
  Belief belief(models, size);
  for (const Outcome& o : outcomes(30, 2, size, 5)) belief.observe(o.model, o.x, o.y);
  const Vector x{0.5, 1, -0.8};
  Vector shifts(models), variances(models), weights(models * size), normals((models + 1) * size), directions;
  context_predict(belief.context, x.data(), shifts.data(), variances.data());
  for (int32_t m = 0; m < models; ++m)
    for (const double v : x) directions.push_back(m == 1 ? -v : v);
  const double expected = context_variance_along(belief.context, directions.data());
  Philox random(11);
  const int draws = 20000;
  const double deviation = 0.5;
  double mean = 0, squares = 0;
  Vector sums(models), sums2(models);
  for (int d = 0; d < draws; ++d) {
    for (double& v : normals) v = normal(random);
    context_draw(belief.context, deviation, normals.data(), weights.data());
    double along = 0;
    for (size_t k = 0; k < weights.size(); ++k) along += directions[k] * weights[k];
    mean += along / draws;
    squares += along * along / draws;
    for (int32_t m = 0; m < models; ++m) {
      double own = 0;
      for (int32_t k = 0; k < size; ++k) own += x[k] * weights[m * size + k];
      sums[m] += own / draws;
      sums2[m] += own * own / draws;
    }
  }
  EXPECT_NEAR((squares - mean * mean) / (deviation * deviation * expected), 1, 0.05);
  for (int32_t m = 0; m < models; ++m) {
    const double variance = deviation * deviation * variances[m];
    EXPECT_NEAR(sums[m], shifts[m], 4.5 * std::sqrt(variance / draws));
    EXPECT_NEAR((sums2[m] - sums[m] * sums[m]) / variance, 1, 0.05);
  }
}

TEST(ContextBelief, every_instruction_set_gives_the_same_bits) {
  std::vector<const RootKernels*> sets{&kRootKernelsPortable};
#if defined(__x86_64__)
  if (cpu_features().level >= CpuLevel::avx2) sets.push_back(&kRootKernelsAvx2);
  if (cpu_features().level >= CpuLevel::avx512) sets.push_back(&kRootKernelsAvx512);
#endif
  if (sets.size() == 1) GTEST_SKIP() << "one instruction set only";
  Philox random(2);
  for (const int32_t size : {1, 7, 8, 59, 97}) {
    const int32_t stride = XC_THERMO_CONTEXT_STRIDE(size);
    Vector root(static_cast<size_t>(size) * stride), x(stride);
    for (int32_t i = 0; i < size; ++i) {
      x[i] = normal(random);
      for (int32_t j = 0; j < size; ++j) root[i * stride + j] = normal(random);
    }
    std::vector<Vector> results;
    for (const RootKernels* k : sets) {
      Vector f(stride), out(stride), copy = root;
      k->across(root.data(), x.data(), size, stride, f.data());
      k->times(root.data(), f.data(), size, stride, out.data());
      k->lower(copy.data(), out.data(), f.data(), 0.3, size, stride);
      copy.insert(copy.end(), f.begin(), f.end());
      copy.insert(copy.end(), out.begin(), out.end());
      copy.push_back(k->dot(x.data(), f.data(), stride));
      results.push_back(copy);
    }
    for (const Vector& r : results) EXPECT_EQ(r, results[0]) << size;
  }
}

TEST(ContextBelief, stays_a_covariance_over_very_many_outcomes_along_one_line) {
  Belief belief(1, 6);
  const Vector x(6, 1);
  for (int i = 0; i < 200000; ++i) belief.observe(0, x, i % 2);
  Vector shifts(1), variances(1);
  context_predict(belief.context, x.data(), shifts.data(), variances.data());
  EXPECT_NEAR(shifts[0], 0.5, 1e-3);
  EXPECT_GT(variances[0], 0);
  EXPECT_NEAR(variances[0] * 200000, 1, 1e-2);
}

TEST(ContextBelief, regressors_are_a_constant_the_features_and_cosines) {
  const Vector features{0.5, -1, 2, 0}, phases{0.1, 0.2, 0.3};
  Vector frequencies(12), out(8);
  for (int i = 0; i < 12; ++i) frequencies[i] = 0.1 * i;
  context_regressors(features.data(), 4, frequencies.data(), phases.data(), 3, out.data());
  EXPECT_EQ(out[0], 1);
  for (int i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(out[1 + i], features[i] / 2);
  for (int k = 0; k < 3; ++k) {
    double phase = phases[k];
    for (int i = 0; i < 4; ++i) phase += frequencies[i * 3 + k] * features[i];
    EXPECT_NEAR(out[5 + k], std::sqrt(2.0 / 3) * std::cos(phase), 1e-15);
  }
}

TEST(ContextBelief, refuses_what_is_no_context) {
  Belief belief(2, 3);
  const auto refused = [&](auto&& edit, const char* field) {
    xc_thermo_context c = belief.context;
    edit(c);
    try {
      check_context(c);
      ADD_FAILURE() << "accepted; expected a refusal of " << field;
    } catch (const Error& e) {
      EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
      EXPECT_EQ(e.field, field);
    }
  };
  refused([](auto& c) { c.models = 0; }, "models");
  refused([](auto& c) { c.models = XC_THERMO_CONTEXT_MODELS_MAX + 1; }, "models");
  refused([](auto& c) { c.size = -1; }, "size");
  refused([](auto& c) { c.size = XC_THERMO_CONTEXT_SIZE_MAX + 1; }, "size");
  refused([](auto& c) { c.own = std::numeric_limits<double>::quiet_NaN(); }, "own");
  refused([](auto& c) { c.block = nullptr; }, "block");
  EXPECT_THROW(context_observe(belief.context, 2, Vector(3).data(), 0), Error);
}
