#include "thermo/boltzmann/boltzmann.hpp"

#include <limits>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::thermo;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  int64_t rows;
  int32_t models;
  std::vector<double> energies, temperatures;
  std::vector<double> probabilities, readings;
  std::vector<int32_t> choices;

  Case(int32_t models, std::vector<double> energies, std::vector<double> temperatures)
      : rows(static_cast<int64_t>(temperatures.size())), models(models), energies(std::move(energies)),
        temperatures(std::move(temperatures)), probabilities(rows * models, -1), readings(rows * XC_THERMO_READINGS, -1),
        choices(rows, -1) {}
  BoltzmannBatch batch(uint64_t seed = 1, uint64_t stream = 0) {
    return {energies.data(), rows, models, temperatures.data(), seed, stream, probabilities.data(), readings.data(),
            choices.data()};
  }
  double reading(int64_t row, int which) const { return readings[row * XC_THERMO_READINGS + which]; }
};

// Rows of every temper: random energies over many magnitudes, forbidden choices, ties, both limits of temperature.
Case mixed_case(int64_t rows, int32_t models) {
  std::vector<double> energies, temperatures;
  const double scales[] = {1e-3, 1, 50, 1e6, 1e299};
  const double heats[] = {0, 1e-6, 0.3, 1, 40, 1e6, kInfinity};
  Philox random(99);
  for (int64_t r = 0; r < rows; ++r) {
    const double scale = scales[r % 5];
    temperatures.push_back(heats[r % 7]);
    for (int32_t i = 0; i < models; ++i) {
      const double e = scale * (2 * random.next_double() - 1);
      const bool forbidden = i != r % models && random.next_below(6) == 0;
      energies.push_back(forbidden ? kInfinity : random.next_below(5) == 0 ? 0.25 * scale : e);
    }
  }
  return Case(models, energies, temperatures);
}

// Equal, or equal infinities, or close in relation to the size of what was added up.
void expect_close(double got, double wanted, double size, const char* what, int64_t row) {
  if (std::isinf(wanted)) {
    EXPECT_EQ(got, wanted) << what << " of row " << row;
  } else {
    EXPECT_NEAR(got, wanted, 4e-14 * (1 + std::fabs(size))) << what << " of row " << row;
  }
}

void expect_refused(Case c, const char* field) {
  try {
    boltzmann(c.batch(), kCpu, Control());
    FAIL() << "accepted; expected a refusal of " << field;
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
    EXPECT_EQ(e.field, field);
  }
}

}  // namespace

class Boltzmann : public xcore::testing::BackendTest {};

TEST_P(Boltzmann, matches_the_long_double_definition) {
  for (const int32_t models : {1, 2, 5, 11, 300}) {
    Case got = mixed_case(350, models), wanted = got;
    boltzmann(got.batch(7, 1000), device(), Control());
    boltzmann_ref(wanted.batch(7, 1000));
    int other_draws = 0;
    for (int64_t r = 0; r < got.rows; ++r) {
      double size = 0;
      for (int32_t i = 0; i < models; ++i) {
        const double p = wanted.probabilities[r * models + i];
        // The exponent -(E - E_min) / T carries the rounding of a number up to 700.
        EXPECT_NEAR(got.probabilities[r * models + i], p, 4e-13 * p + 1e-300) << "row " << r << " model " << i;
        if (p > 0) size = std::max(size, std::fabs(got.energies[r * models + i]));
      }
      const double t = got.temperatures[r];
      expect_close(got.reading(r, XC_THERMO_LOG_PARTITION), wanted.reading(r, XC_THERMO_LOG_PARTITION),
                   wanted.reading(r, XC_THERMO_LOG_PARTITION), "log Z", r);
      expect_close(got.reading(r, XC_THERMO_FREE_ENERGY), wanted.reading(r, XC_THERMO_FREE_ENERGY),
                   std::isinf(t) ? 0 : size + t, "F", r);
      expect_close(got.reading(r, XC_THERMO_MEAN_ENERGY), wanted.reading(r, XC_THERMO_MEAN_ENERGY), size, "U", r);
      expect_close(got.reading(r, XC_THERMO_ENTROPY), wanted.reading(r, XC_THERMO_ENTROPY), 100, "S", r);
      other_draws += got.choices[r] != wanted.choices[r];
    }
    // A draw may fall on the other side of a boundary that differs in the last digit.
    EXPECT_LE(other_draws, 1) << models << " models";
  }
}

TEST_P(Boltzmann, draws_follow_the_probabilities) {
  constexpr int64_t rows = 200000;
  std::vector<double> energies;
  for (int64_t r = 0; r < rows; ++r) energies.insert(energies.end(), {0.1, 0.9, kInfinity, -0.4, 2.5});
  Case c(5, energies, std::vector<double>(rows, 0.7));
  boltzmann(c.batch(2024), device(), Control());
  double counts[5] = {}, chi_square = 0;
  for (const int32_t choice : c.choices) {
    ASSERT_TRUE(choice >= 0 && choice < 5);
    ++counts[choice];
  }
  EXPECT_EQ(counts[2], 0);
  for (int i = 0; i < 5; ++i) {
    const double expected = rows * c.probabilities[i];
    if (i != 2) chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 21.1);  // 3 degrees of freedom, probability 1e-4 of more
}

TEST_P(Boltzmann, zero_temperature_is_uniform_over_the_ties_and_infinite_is_uniform_over_the_possible) {
  Case c(4, {2, -1, 5, -1, 2, -1, kInfinity, -1}, {0, kInfinity});
  boltzmann(c.batch(), device(), Control());
  EXPECT_EQ(std::vector<double>(c.probabilities.begin(), c.probabilities.begin() + 4), (std::vector<double>{0, 0.5, 0, 0.5}));
  EXPECT_EQ(c.reading(0, XC_THERMO_LOG_PARTITION), kInfinity);
  EXPECT_EQ(c.reading(0, XC_THERMO_FREE_ENERGY), -1);
  EXPECT_NEAR(c.reading(0, XC_THERMO_ENTROPY), std::log(2.0), 1e-15);
  for (const int i : {0, 1, 3}) EXPECT_NEAR(c.probabilities[4 + i], 1.0 / 3, 1e-15);
  EXPECT_EQ(c.probabilities[6], 0);
  EXPECT_EQ(c.reading(1, XC_THERMO_FREE_ENERGY), -kInfinity);
  EXPECT_NEAR(c.reading(1, XC_THERMO_LOG_PARTITION), std::log(3.0), 1e-15);
}

TEST_P(Boltzmann, a_row_does_not_depend_on_how_the_batch_was_cut) {
  Case whole = mixed_case(3000, 7), parts = whole;
  boltzmann(whole.batch(5, 40), device(), Control());
  for (int64_t first = 0; first < parts.rows; first += 1000) {
    BoltzmannBatch b = parts.batch(5, 40 + first);
    b.rows = 1000;
    b.energies += first * 7;
    b.temperatures += first;
    b.probabilities += first * 7;
    b.readings += first * XC_THERMO_READINGS;
    b.choices += first;
    boltzmann(b, device(), Control());
  }
  EXPECT_EQ(whole.choices, parts.choices);
  EXPECT_EQ(whole.probabilities, parts.probabilities);
}

XC_INSTANTIATE_BACKENDS(Boltzmann);

TEST(BoltzmannCpu, gives_the_same_bits_on_any_number_of_threads) {
  const int before = thread_pool().threads();
  Case one = mixed_case(5000, 6), four = one;
  thread_pool().set_threads(1);
  boltzmann(one.batch(), kCpu, Control());
  thread_pool().set_threads(4);
  boltzmann(four.batch(), kCpu, Control());
  thread_pool().set_threads(before);
  EXPECT_EQ(one.probabilities, four.probabilities);
  EXPECT_EQ(one.choices, four.choices);
}

TEST(BoltzmannCpu, refuses_what_has_no_distribution) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_refused(Case(2, {0, nan}, {1}), "energies");
  expect_refused(Case(2, {0, -kInfinity}, {1}), "energies");
  expect_refused(Case(2, {0, 1e301}, {1}), "energies");
  expect_refused(Case(2, {kInfinity, kInfinity}, {1}), "energies");
  expect_refused(Case(2, {0, 1}, {-1}), "temperature");
  expect_refused(Case(2, {0, 1}, {nan}), "temperature");
  expect_refused(Case(0, {}, {1}), "models");
}

TEST(BoltzmannCpu, an_empty_batch_is_fine_and_a_cancelled_one_stops) {
  Case empty(3, {}, {});
  EXPECT_NO_THROW(boltzmann(empty.batch(), kCpu, Control()));
  const int32_t cancel = 1;
  const xc_control control{&cancel, nullptr, nullptr};
  Case c = mixed_case(10, 3);
  try {
    boltzmann(c.batch(), kCpu, Control(&control));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_CANCELLED);
  }
}
