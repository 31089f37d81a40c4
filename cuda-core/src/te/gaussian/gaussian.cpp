#include "te/gaussian/gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace xcore::te {
namespace {

// A column counts as explained by others when less than this part of its variance is left.
constexpr double kExplained = 1e-12;

constexpr double kPi = 3.14159265358979323846;

struct Columns {
  int64_t n;
  std::vector<std::vector<double>> unit;  // centred, scaled to length 1; a constant column is empty
};

void append(Columns& columns, const Block& block, const int32_t* permutation) {
  for (int32_t c = 0; c < block.dims; ++c) {
    const double* x = block.values.data() + c * columns.n;
    double sum = 0;
    bool constant = true;
    for (int64_t i = 0; i < columns.n; ++i) sum += x[i], constant = constant && x[i] == x[0];
    if (constant) {
      columns.unit.emplace_back();
      continue;
    }
    const double mean = sum / static_cast<double>(columns.n);
    std::vector<double> unit(columns.n);
    double squares = 0;
    for (int64_t i = 0; i < columns.n; ++i) {
      unit[i] = x[permutation ? permutation[i] : i] - mean;
      squares += unit[i] * unit[i];
    }
    const double length = std::sqrt(squares);
    for (double& v : unit) v /= length;
    columns.unit.push_back(std::move(unit));
  }
}

// Cholesky of the correlations, row by row, leaving out explained columns; returns the variance left of each column,
// 0 for one left out.
std::vector<double> variances_left(const Columns& columns, const std::vector<int>& order) {
  std::vector<std::vector<double>> rows;  // of the factor, kept columns only
  std::vector<int> kept;
  std::vector<double> left;
  for (int column : order) {
    const auto& x = columns.unit[column];
    double variance = 0;
    std::vector<double> row;
    if (!x.empty()) {
      variance = 1;
      for (size_t m = 0; m < kept.size(); ++m) {
        const auto& y = columns.unit[kept[m]];
        double dot = 0;
        for (int64_t i = 0; i < columns.n; ++i) dot += x[i] * y[i];
        for (size_t q = 0; q < m; ++q) dot -= row[q] * rows[m][q];
        row.push_back(dot / rows[m][m]);
        variance -= row[m] * row[m];
      }
    }
    if (variance > kExplained) {
      row.push_back(std::sqrt(variance));
      rows.push_back(std::move(row));
      kept.push_back(column);
    } else {
      variance = 0;
    }
    left.push_back(variance);
  }
  return left;
}

}  // namespace

double gaussian_te(const Embedding& e, const int32_t* permutation) {
  Columns columns{e.n, {}};
  append(columns, e.past, nullptr);
  append(columns, e.source, permutation);
  append(columns, e.future, nullptr);
  std::vector<int> without, with;
  const int past = e.past.dims, source = e.source.dims, future = e.future.dims;
  for (int c = 0; c < past; ++c) without.push_back(c), with.push_back(c);
  for (int c = past; c < past + source; ++c) with.push_back(c);
  for (int c = past + source; c < past + source + future; ++c) without.push_back(c), with.push_back(c);
  const auto left_without = variances_left(columns, without), left_with = variances_left(columns, with);
  double te = 0;
  for (int f = 0; f < future; ++f) {
    const double before = left_without[past + f], after = left_with[past + source + f];
    if (before == 0) continue;  // P says it all already
    if (after == 0) return std::numeric_limits<double>::infinity();
    te += 0.5 * std::log(before / after);
  }
  return te;
}

// Closed forms of the regularised incomplete gamma function for whole and half-whole parameters (Abramowitz and Stegun
// 26.4.4 and 26.4.5).
double chi_squared_tail(double x, int64_t freedom) {
  if (!(x > 0)) return 1;
  const double half = x / 2;
  double term, sum;
  if (freedom % 2 == 0) {
    sum = term = std::exp(-half);
    for (int64_t m = 1; m < freedom / 2; ++m) sum += term *= half / static_cast<double>(m);
  } else {
    sum = std::erfc(std::sqrt(half));
    term = 2 * std::sqrt(half / kPi) * std::exp(-half);
    for (int64_t m = 1; m <= freedom / 2; ++m) {
      sum += term;
      term *= half / (static_cast<double>(m) + 0.5);
    }
  }
  return std::min(1.0, sum);
}

}  // namespace xcore::te
