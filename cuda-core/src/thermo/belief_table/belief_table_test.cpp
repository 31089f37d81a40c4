#include "thermo/belief_table/belief_table.hpp"

#include <cmath>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::thermo;

namespace {

constexpr BeliefPrior kBeta{XC_BELIEFS_BETA, {2, 0.5, 0, 0}};
constexpr BeliefPrior kNormal{XC_BELIEFS_NORMAL, {10, 2, 3, 4}};

struct Columns {
  std::vector<double> mean, variance, lower, upper;
  BeliefSummary of(int64_t pairs) {
    for (auto* v : {&mean, &variance, &lower, &upper}) v->assign(pairs, -1);
    return {mean.data(), variance.data(), lower.data(), upper.data()};
  }
};

std::vector<float> random_statistics(const BeliefPrior& prior, int64_t pairs, uint64_t seed) {
  Philox random(seed);
  std::vector<float> s(prior.statistics() * pairs);
  for (int c = 0; c < prior.statistics(); ++c)
    for (int64_t i = 0; i < pairs; ++i)
      s[c * pairs + i] = prior.kind == XC_BELIEFS_NORMAL && c == 1 ? static_cast<float>(10 + random.next_normal())
                                                                   : static_cast<float>(random.next_below(5));
  return s;
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

class BeliefTableTest : public xcore::testing::BackendTest {};

TEST_P(BeliefTableTest, starts_at_the_prior_everywhere) {
  BeliefTable t(kNormal, 3000, device());
  std::vector<double> p(4 * 3000);
  t.read(p.data());
  for (int c = 0; c < 4; ++c)
    for (int i = 0; i < 3000; ++i) ASSERT_EQ(p[c * 3000 + i], kNormal.values[c]);
}

TEST_P(BeliefTableTest, many_updates_of_many_pairs_equal_one_update_after_another) {
  // More pairs than one part that travels to a GPU, and no multiple of it.
  const int64_t pairs = (1 << 18) + 12345;
  for (const BeliefPrior& prior : {kBeta, kNormal}) {
    BeliefTable t(prior, pairs, device());
    std::vector<double> expected(prior.parameters() * pairs), got(expected.size());
    t.read(expected.data());
    for (uint64_t step = 0; step < 3; ++step) {
      const double forgetting = step == 1 ? 0.9 : 1;
      const auto s = random_statistics(prior, pairs, step);
      t.update(s.data(), forgetting, Control());
      for (int64_t i = 0; i < pairs; ++i) belief_update(prior, forgetting, s.data() + i, expected.data() + i, pairs);
    }
    t.read(got.data());
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-13 * std::fabs(expected[i])) << i;
  }
}

TEST_P(BeliefTableTest, tables_larger_than_what_is_staged_at_a_time_are_updated_and_refused_as_a_whole) {
  const int64_t pairs = (1 << 22) + 777;
  BeliefTable t(kBeta, pairs, device());
  std::vector<float> s(2 * pairs);
  for (int64_t i = 0; i < pairs; ++i) s[i] = static_cast<float>(i % 7), s[pairs + i] = static_cast<float>(i % 5);
  s.back() = -1;
  expect_refused("failures", [&] { t.update(s.data(), 1, Control()); });
  s.back() = 3;
  t.update(s.data(), 1, Control());
  std::vector<double> p(2 * pairs);
  t.read(p.data());
  for (int64_t i = 0; i < pairs; ++i) {
    ASSERT_EQ(p[i], kBeta.values[0] + i % 7) << i;
    ASSERT_EQ(p[pairs + i], kBeta.values[1] + s[pairs + i]) << i;
  }
}

TEST_P(BeliefTableTest, a_normal_belief_does_not_depend_on_how_observations_are_grouped) {
  // Conjugacy: all at once, one by one, and the textbook sums over all of them agree.
  const std::vector<double> seen = {9.5, 12, 11.25, 8, 10.5, 14};
  double sum = 0, squares = 0;
  for (const double x : seen) {
    sum += x;
    squares += x * x;
  }
  const double n = static_cast<double>(seen.size()), m = sum / n;
  BeliefTable single(kNormal, 1, device()), together(kNormal, 1, device());
  for (const double x : seen) {
    const float s[] = {1, static_cast<float>(x), 0};
    single.update(s, 1, Control());
  }
  const float s[] = {static_cast<float>(n), static_cast<float>(m), static_cast<float>(squares - n * m * m)};
  together.update(s, 1, Control());
  double a[4], b[4];
  single.read(a);
  together.read(b);
  const double k0 = kNormal.values[1], m0 = kNormal.values[0], kn = k0 + n, mn = (k0 * m0 + sum) / kn;
  const double textbook[] = {mn, kn, kNormal.values[2] + n / 2,
                             kNormal.values[3] + 0.5 * (squares + k0 * m0 * m0 - kn * mn * mn)};
  for (int c = 0; c < 4; ++c) {
    EXPECT_NEAR(a[c], textbook[c], 1e-12 * textbook[c]);
    EXPECT_NEAR(b[c], textbook[c], 1e-6 * textbook[c]);  // statistics are single precision
  }
}

TEST_P(BeliefTableTest, forgetting_everything_returns_to_the_prior) {
  for (const BeliefPrior& prior : {kBeta, kNormal}) {
    BeliefTable t(prior, 4, device());
    const auto s = random_statistics(prior, 4, 7);
    t.update(s.data(), 1, Control());
    const std::vector<float> nothing(prior.statistics() * 4, 0.f);
    for (int i = 0; i < 200; ++i) t.update(nothing.data(), 0.8, Control());
    std::vector<double> p(prior.parameters() * 4);
    t.read(p.data());
    for (int c = 0; c < prior.parameters(); ++c)
      for (int i = 0; i < 4; ++i) EXPECT_NEAR(p[c * 4 + i], prior.values[c], 1e-9);
  }
}

TEST_P(BeliefTableTest, intervals_of_a_normal_mean_are_students) {
  // Quantiles of t with 1, 2, 5 and 30 degrees of freedom: closed forms for the first two, tables for the others.
  const double pi = 3.141592653589793;
  const double expected95[] = {std::tan(pi * 0.475), 0.95 * std::sqrt(2 / (1 - 0.95 * 0.95)), 2.5705818356363155, 2.0422724563012378};
  const double degrees[] = {1, 2, 5, 30};
  BeliefTable t(kNormal, 4, device());
  std::vector<double> p(16);
  for (int i = 0; i < 4; ++i) {
    p[i] = 7;
    p[4 + i] = 4;
    p[8 + i] = degrees[i] / 2;
    p[12 + i] = 9 * degrees[i] / 2;  // scale sqrt(9 / 4) = 1.5
  }
  t.write(p.data());
  Columns c;
  t.summary(0.95, c.of(4), Control());
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(c.upper[i], 7 + 1.5 * expected95[i], 1e-10 * expected95[i]) << degrees[i];
    EXPECT_NEAR(c.lower[i], 7 - 1.5 * expected95[i], 1e-10 * expected95[i]) << degrees[i];
  }
  EXPECT_EQ(c.variance[0], INFINITY);
  EXPECT_NEAR(c.variance[3], 1.5 * 1.5 * 30 / 28, 1e-12);
  t.summary(0.25, c.of(4), Control());
  EXPECT_NEAR(c.upper[0], 7 + 1.5 * std::tan(pi * 0.125), 1e-12);
}

TEST_P(BeliefTableTest, draws_have_the_moments_of_the_posterior) {
  const int64_t pairs = 100000;
  for (const BeliefPrior& prior : {kBeta, kNormal}) {
    BeliefTable t(prior, pairs, device());
    std::vector<double> draws(pairs);
    t.sample(11, 5, draws.data(), Control());
    double mean = 0, variance = 0;
    for (const double d : draws) mean += d / pairs;
    for (const double d : draws) variance += (d - mean) * (d - mean) / (pairs - 1);
    const auto r = belief_reading(prior.kind, prior.values, 1, 0.5);
    EXPECT_NEAR(mean, r.mean, 5 * std::sqrt(r.variance / pairs));
    EXPECT_NEAR(variance, r.variance, 0.05 * r.variance);
  }
}

TEST_P(BeliefTableTest, refuses_impossible_statistics_and_leaves_the_table_as_it_was) {
  BeliefTable t(kBeta, 100, device());
  std::vector<float> s(200, 1.f);
  s[150] = -1;
  expect_refused("failures", [&] { t.update(s.data(), 1, Control()); });
  s[150] = NAN;
  expect_refused("failures", [&] { t.update(s.data(), 1, Control()); });
  BeliefTable large(kNormal, 200000, device());  // many parts, the bad value in the last
  std::vector<float> all(600000, 1.f);
  all.back() = INFINITY;
  expect_refused("squared deviations", [&] { large.update(all.data(), 1, Control()); });
  std::vector<double> still(800000);
  large.read(still.data());
  for (int i = 0; i < 800000; ++i) ASSERT_EQ(still[i], kNormal.values[i / 200000]);
  s[150] = 1;
  expect_refused("forgetting", [&] { t.update(s.data(), 0, Control()); });
  std::vector<double> p(200);
  t.read(p.data());
  EXPECT_EQ(p[0], kBeta.values[0]);
  expect_refused("level", [&] { t.summary(1, {p.data(), p.data(), p.data(), p.data()}, Control()); });
  p[3] = 0;
  expect_refused("parameters", [&] { t.write(p.data()); });
  expect_refused("pairs", [&] { BeliefTable(kBeta, 0, device()); });
  expect_refused("prior", [&] { BeliefTable({XC_BELIEFS_BETA, {0, 1, 0, 0}}, 1, device()); });
  expect_refused("kind", [&] { BeliefTable({7, {1, 1, 0, 0}}, 1, device()); });
}

XC_INSTANTIATE_BACKENDS(BeliefTableTest);

TEST(BeliefTableThreads, give_the_same_bits_on_one_and_on_many) {
  const int64_t pairs = 50000;
  std::vector<double> p[2];
  const int before = thread_pool().threads();
  for (const int threads : {1, 4}) {
    thread_pool().set_threads(threads);
    BeliefTable t(kNormal, pairs, kCpu);
    const auto s = random_statistics(kNormal, pairs, 3);
    t.update(s.data(), 0.97, Control());
    auto& out = p[threads > 1];
    out.resize(5 * pairs);
    t.read(out.data());
    t.sample(1, 0, out.data() + 4 * pairs, Control());
  }
  thread_pool().set_threads(before);
  EXPECT_EQ(p[0], p[1]);
}
