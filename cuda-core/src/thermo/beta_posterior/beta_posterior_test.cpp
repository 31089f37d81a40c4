#include "thermo/beta_posterior/beta_posterior.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::thermo;

namespace {

struct Pairs {
  std::vector<double> alpha, beta;
  void add(double a, double b) {
    alpha.push_back(a);
    beta.push_back(b);
  }
  int64_t count() const { return static_cast<int64_t>(alpha.size()); }
};

struct Summaries {
  std::vector<double> mean, variance, lower, upper;
  BetaSummary of(const Pairs& p, double level) {
    for (auto* v : {&mean, &variance, &lower, &upper}) v->assign(p.alpha.size(), -1);
    return {p.alpha.data(), p.beta.data(), p.count(), level, mean.data(), variance.data(), lower.data(), upper.data()};
  }
};

std::vector<double> draw(const Pairs& p, uint64_t seed, uint64_t stream, xc_device device) {
  std::vector<double> draws(p.alpha.size(), -1);
  beta_sample({p.alpha.data(), p.beta.data(), p.count(), seed, stream, draws.data()}, device, Control());
  return draws;
}

template <class F>
void expect_refused(const char* field, F&& call) {
  try {
    call();
    FAIL() << "accepted; expected a refusal of " << field;
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
    EXPECT_EQ(e.field, field);
  }
}

}  // namespace

class BetaPosterior : public xcore::testing::BackendTest {};

TEST_P(BetaPosterior, updates_as_the_definition_says) {
  std::vector<double> alpha, beta, successes, failures;
  Philox random(3);
  for (int i = 0; i < 40000; ++i) {
    alpha.push_back(2 + 100 * random.next_double());
    beta.push_back(0.5 + 100 * random.next_double());
    successes.push_back(random.next_below(4));
    failures.push_back(random.next_double());
  }
  const auto n = static_cast<int64_t>(alpha.size());
  std::vector<double> a(n), b(n), ra(n), rb(n);
  beta_update({alpha.data(), beta.data(), successes.data(), failures.data(), n, 2, 0.5, 0.97, a.data(), b.data()}, device(),
              Control());
  beta_update_ref({alpha.data(), beta.data(), successes.data(), failures.data(), n, 2, 0.5, 0.97, ra.data(), rb.data()});
  for (int64_t i = 0; i < n; ++i) {
    ASSERT_NEAR(a[i], ra[i], 1e-15 * 4 * ra[i]);
    ASSERT_NEAR(b[i], rb[i], 1e-15 * 4 * rb[i]);
  }
}

TEST_P(BetaPosterior, intervals_equal_the_closed_forms) {
  // Beta(1, 1): the identity. Beta(a, 1): F = x^a. Beta(1, b): F = 1 - (1-x)^b. Beta(1/2, 1/2): the arcsine law.
  // Beta(2, 2): F = 3 x^2 - 2 x^3, inverted by the trigonometric solution of the cubic.
  const double pi = 3.141592653589793;
  for (const double level : {0.5, 0.8, 0.95, 0.999}) {
    const double low = (1 - level) / 2, high = 1 - low;
    const auto cubic = [&](double p) { return 0.5 + std::sin(std::asin(2 * p - 1) / 3); };
    Pairs p;
    p.add(1, 1);
    p.add(3.5, 1);
    p.add(1, 7);
    p.add(0.5, 0.5);
    p.add(2, 2);
    p.add(0.01, 1);
    Summaries s;
    beta_summary(s.of(p, level), device(), Control());
    const double expected[6][2] = {
        {low, high},
        {std::pow(low, 1 / 3.5), std::pow(high, 1 / 3.5)},
        {-std::expm1(std::log1p(-low) / 7), 1 - std::pow(low, 1.0 / 7)},
        {std::pow(std::sin(pi * low / 2), 2), std::pow(std::sin(pi * high / 2), 2)},
        {cubic(low), cubic(high)},
        {std::pow(low, 100), std::pow(high, 100)}};
    for (int i = 0; i < 6; ++i) {
      EXPECT_NEAR(s.lower[i], expected[i][0], 1e-12 * expected[i][0] + 2e-16) << "pair " << i << " level " << level;
      EXPECT_NEAR(s.upper[i], expected[i][1], 1e-13) << "pair " << i << " level " << level;
    }
    EXPECT_DOUBLE_EQ(s.mean[1], 3.5 / 4.5);
    EXPECT_DOUBLE_EQ(s.variance[4], 0.05);
  }
}

TEST_P(BetaPosterior, intervals_match_the_long_double_definition) {
  Pairs p;
  for (const double a : {0.05, 0.7, 1.0, 3.2, 40.0, 900.0})
    for (const double b : {0.05, 0.6, 2.0, 17.0, 350.0, 2500.0}) p.add(a, b);
  Summaries got, wanted;
  for (const double level : {0.5, 0.95}) {
    beta_summary(got.of(p, level), device(), Control());
    beta_summary_ref(wanted.of(p, level));
    for (int64_t i = 0; i < p.count(); ++i) {
      const auto label = ::testing::Message() << "Beta(" << p.alpha[i] << ", " << p.beta[i] << ") level " << level;
      EXPECT_NEAR(got.mean[i], wanted.mean[i], 1e-15) << label;
      EXPECT_NEAR(got.variance[i], wanted.variance[i], 1e-15) << label;
      EXPECT_NEAR(got.lower[i], wanted.lower[i], 1e-11 * wanted.lower[i]) << label;
      EXPECT_NEAR(got.upper[i], wanted.upper[i], 1e-12) << label;
    }
  }
}

TEST_P(BetaPosterior, bounds_hold_their_probability_at_the_ends_of_the_range) {
  Pairs p;
  p.add(1e9, 1e9);
  p.add(1e9, 3);
  p.add(2, 1e8);
  p.add(1e-9, 1e-9);
  p.add(1e-9, 1e9);
  p.add(5e6, 2e6);
  Summaries s;
  beta_summary(s.of(p, 0.9), device(), Control());
  // A Beta of this many counts is a normal of the same mean and variance to about 1e-5 standard deviations.
  const double z = 1.6448536269514722;
  for (const int i : {0, 5}) {
    const double deviation = std::sqrt(s.variance[i]);
    EXPECT_NEAR((s.lower[i] - s.mean[i]) / deviation, -z, 1e-3);
    EXPECT_NEAR((s.upper[i] - s.mean[i]) / deviation, z, 1e-3);
  }
  // Beta(a, 3) has F = x^a (1 + a y + a (a + 1) y^2 / 2) with y = 1 - x, and Beta(2, b) is its mirror image.
  const auto third = [](double a, double y) { return std::exp(a * std::log1p(-y)) * (1 + a * y + a * (a + 1) * y * y / 2); };
  const auto second = [](double b, double x) { return 1 - std::exp(b * std::log1p(-x)) * (1 + b * x); };
  EXPECT_NEAR(third(1e9, 1 - s.lower[1]), 0.05, 1e-6);
  EXPECT_NEAR(third(1e9, 1 - s.upper[1]), 0.95, 1e-6);
  EXPECT_NEAR(second(1e8, s.lower[2]), 0.05, 1e-6);
  EXPECT_NEAR(second(1e8, s.upper[2]), 0.95, 1e-6);
  EXPECT_EQ(s.lower[3], 0);
  EXPECT_EQ(s.upper[3], 1);
  EXPECT_EQ(s.upper[4], 0);
}

// Kolmogorov-Smirnov against the reference distribution, and the first two moments.
TEST_P(BetaPosterior, draws_follow_their_distribution) {
  const double cases[][2] = {{1, 1}, {0.5, 0.5}, {2, 5}, {30, 70}, {0.2, 3}, {400, 12}, {1, 0.4}};
  constexpr int n = 20000;
  uint64_t stream = 0;
  for (const auto& [a, b] : cases) {
    Pairs p;
    for (int i = 0; i < n; ++i) p.add(a, b);
    std::vector<double> draws = draw(p, 11, stream, device());
    stream += n;
    std::sort(draws.begin(), draws.end());
    double distance = 0, sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      ASSERT_TRUE(draws[i] >= 0 && draws[i] <= 1);
      const double f = static_cast<double>(beta_cdf_ref(a, b, draws[i]));
      distance = std::max({distance, std::fabs(f - i / double(n)), std::fabs(f - (i + 1) / double(n))});
      sum += draws[i];
      squares += draws[i] * draws[i];
    }
    EXPECT_LT(distance * std::sqrt(n), 2.23) << "Beta(" << a << ", " << b << ")";  // probability 1e-4 of more
    const double mean = a / (a + b), variance = mean * (1 - mean) / (a + b + 1);
    EXPECT_NEAR(sum / n, mean, 5 * std::sqrt(variance / n));
    EXPECT_NEAR(squares / n - (sum / n) * (sum / n), variance, 0.08 * variance);
  }
}

TEST_P(BetaPosterior, draws_are_those_of_the_cpu_and_do_not_depend_on_the_cut) {
  Pairs p;
  Philox random(8);
  for (int i = 0; i < 30000; ++i) p.add(std::exp(6 * random.next_double() - 3), std::exp(6 * random.next_double() - 3));
  const std::vector<double> whole = draw(p, 5, 100, device());
  std::vector<double> cpu(whole.size());
  beta_sample_cpu({p.alpha.data(), p.beta.data(), p.count(), 5, 100, cpu.data()}, Control());
  // The last digit of a logarithm decides an acceptance about once in 1e14 draws.
  for (size_t i = 0; i < cpu.size(); ++i) ASSERT_NEAR(whole[i], cpu[i], 1e-11) << i;
  Pairs tail;
  for (int i = 20000; i < 30000; ++i) tail.add(p.alpha[i], p.beta[i]);
  EXPECT_EQ(draw(tail, 5, 20100, device()), std::vector<double>(whole.begin() + 20000, whole.end()));
  EXPECT_NE(draw(tail, 6, 20100, device()), std::vector<double>(whole.begin() + 20000, whole.end()));
}

TEST_P(BetaPosterior, draws_of_extreme_parameters_stay_in_range) {
  Pairs p;
  for (const double a : {1e-9, 1e-3, 1.0, 1e9})
    for (const double b : {1e-9, 1e-3, 1.0, 1e9}) p.add(a, b);
  for (const double x : draw(p, 1, 0, device())) EXPECT_TRUE(x >= 0 && x <= 1) << x;
}

XC_INSTANTIATE_BACKENDS(BetaPosterior);

TEST(BetaPosteriorCpu, gives_the_same_bits_on_any_number_of_threads) {
  const int before = thread_pool().threads();
  Pairs p;
  for (int i = 0; i < 3000; ++i) p.add(0.1 + i % 17, 0.2 + i % 23);
  Summaries one, four;
  thread_pool().set_threads(1);
  beta_summary(one.of(p, 0.9), kCpu, Control());
  const auto draws = draw(p, 1, 0, kCpu);
  thread_pool().set_threads(4);
  beta_summary(four.of(p, 0.9), kCpu, Control());
  EXPECT_EQ(draws, draw(p, 1, 0, kCpu));
  thread_pool().set_threads(before);
  EXPECT_EQ(one.lower, four.lower);
  EXPECT_EQ(one.upper, four.upper);
}

TEST(BetaPosteriorCpu, refuses_what_is_no_beta_distribution) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {0.0, -1.0, nan, 1e10, std::numeric_limits<double>::infinity()}) {
    Pairs p;
    p.add(1, 1);
    p.add(bad, 1);
    Summaries s;
    expect_refused("alpha", [&] { beta_summary(s.of(p, 0.9), kCpu, Control()); });
    expect_refused("alpha", [&] { draw(p, 1, 0, kCpu); });
    Pairs q;
    q.add(1, bad);
    expect_refused("beta", [&] { draw(q, 1, 0, kCpu); });
  }
  Pairs p;
  p.add(1, 1);
  Summaries s;
  for (const double bad : {0.0, 1.0, nan, -0.5}) expect_refused("level", [&] { beta_summary(s.of(p, bad), kCpu, Control()); });
}

TEST(BetaPosteriorCpu, refuses_impossible_updates) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto update = [](double a, double s, double prior, double forgetting) {
    const double one = 1;
    double a_out, b_out;
    beta_update({&a, &one, &s, &one, 1, prior, 1, forgetting, &a_out, &b_out}, kCpu, Control());
  };
  expect_refused("alpha", [&] { update(0.5, 1, 1, 1); });
  expect_refused("alpha", [&] { update(nan, 1, 1, 1); });
  expect_refused("successes", [&] { update(1, -1, 1, 1); });
  expect_refused("successes", [&] { update(1, nan, 1, 1); });
  expect_refused("prior", [&] { update(1, 1, nan, 1); });
  for (const double bad : {0.0, 1.01, nan}) expect_refused("forgetting", [&] { update(1, 1, 1, bad); });
}
