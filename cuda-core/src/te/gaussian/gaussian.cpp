#include "te/gaussian/gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "te/estimate/estimator.hpp"

namespace xcore::te {
namespace {

// A column counts as explained by others when less than this part of its variance is left.
constexpr double kExplained = 1e-12;

constexpr double kPi = 3.14159265358979323846;

double dot(const double* x, const double* y, int64_t n) {
  // Eight sums side by side: vectors, and less rounding than one.
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int q = 0; q < 8; ++q) sums[q] += x[i + q] * y[i + q];
  double sum = 0;
  for (; i < n; ++i) sum += x[i] * y[i];
  for (const double s : sums) sum += s;
  return sum;
}

// Columns centred and scaled to length 1, all n rows each; a constant column is all 0.
std::vector<Scratch<double>> unit_columns(const double* values, int32_t dims, int64_t n) {
  std::vector<Scratch<double>> out;
  for (int32_t c = 0; c < dims; ++c) {
    const double* x = values + c * n;
    Scratch<double> unit(n, 0.0);
    if (std::any_of(x, x + n, [x](double v) { return v != x[0]; })) {
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += x[i];
      const double mean = sum / static_cast<double>(n);
      for (int64_t i = 0; i < n; ++i) unit[i] = x[i] - mean;
      const double length = std::sqrt(dot(unit.data(), unit.data(), n));
      for (double& v : unit) v /= length;
    }
    out.push_back(std::move(unit));
  }
  return out;
}

// Cholesky of the correlations of some columns in their order, row by row, leaving out explained columns; gives the
// variance left of each column, 0 for one left out.
std::vector<double> variances_left(const std::vector<double>& gram, int total, const std::vector<int>& order) {
  std::vector<std::vector<double>> rows;  // of the factor, kept columns only
  std::vector<int> kept;
  std::vector<double> left;
  for (const int column : order) {
    double variance = gram[column * total + column];  // 1, or 0 when constant
    std::vector<double> row;
    for (size_t m = 0; variance > 0 && m < kept.size(); ++m) {
      double value = gram[column * total + kept[m]];
      for (size_t q = 0; q < m; ++q) value -= row[q] * rows[m][q];
      row.push_back(value / rows[m][m]);
      variance -= row[m] * row[m];
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

// What is left of each column after those before it (Gram-Schmidt, twice for full precision); empty when explained.
std::vector<Scratch<double>> residuals(const std::vector<Scratch<double>>& columns, const std::vector<int>& order, int64_t n) {
  std::vector<Scratch<double>> basis, left;
  for (const int column : order) {
    Scratch<double> x = columns[column];
    for (int round = 0; round < 2; ++round) {
      for (const auto& b : basis) {
        const double along = dot(x.data(), b.data(), n);
        for (int64_t i = 0; i < n; ++i) x[i] -= along * b[i];
      }
    }
    const double variance = dot(x.data(), x.data(), n);
    if (variance > kExplained) {
      left.push_back(x);
      const double length = std::sqrt(variance);
      for (double& v : x) v /= length;
      basis.push_back(std::move(x));
    } else {
      left.emplace_back();
    }
  }
  return left;
}

class Gaussian : public Estimator {
 public:
  Gaussian(const Embedding& e, bool correct)
      : n_(e.n), past_(e.past.dims), source_(e.source.dims), future_(e.future.dims), correct_(correct) {
    for (const Block* block : {&e.past, &e.source, &e.future})
      for (auto& column : unit_columns(block->values.data(), block->dims, n_)) columns_.push_back(std::move(column));
    total_ = static_cast<int>(columns_.size());
    for (int c = 0; c < past_; ++c) without_.push_back(c), with_.push_back(c);
    for (int c = past_; c < past_ + source_; ++c) with_.push_back(c);
    for (int c = past_ + source_; c < total_; ++c) without_.push_back(c), with_.push_back(c);
    gram_.resize(static_cast<size_t>(total_) * total_);
    for (int a = 0; a < total_; ++a)
      for (int b = 0; b <= a; ++b) gram_[a * total_ + b] = gram_[b * total_ + a] = dot(columns_[a].data(), columns_[b].data(), n_);
  }

  double value(double* locals, const Control&) const override {
    const double te = of(gram_);
    if (locals) fill_locals(locals, te);
    return te;
  }
  void permuted(const int32_t* rows, int64_t count, double* out, const Control& control) const override {
    thread_pool().parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      Scratch<double> drawn(n_);
      for (int64_t s = begin; s < end; ++s) {
        control.throw_if_cancelled();
        std::vector<double> gram = gram_;
        for (int c = past_; c < past_ + source_; ++c) {
          for (int64_t i = 0; i < n_; ++i) drawn[i] = columns_[c][rows[s * n_ + i]];
          cross(gram, c, drawn.data());
        }
        out[s] = of(gram);
      }
    });
  }
  double with_source(const double* columns, const Control&) const override {
    const auto drawn = unit_columns(columns, source_, n_);
    std::vector<double> gram = gram_;
    for (int a = 0; a < source_; ++a) {
      cross(gram, past_ + a, drawn[a].data());
      for (int b = 0; b < source_; ++b) gram[(past_ + a) * total_ + past_ + b] = dot(drawn[a].data(), drawn[b].data(), n_);
    }
    return of(gram);
  }
  double analytic_p(double te) const override {
    const double freedom = static_cast<double>(source_) * future_;
    return chi_squared_tail(2.0 * static_cast<double>(n_) * te + (correct_ ? freedom : 0), freedom);
  }

 private:
  void cross(std::vector<double>& gram, int column, const double* x) const {
    for (int c = 0; c < total_; ++c) {
      if (c >= past_ && c < past_ + source_) continue;
      gram[column * total_ + c] = gram[c * total_ + column] = dot(x, columns_[c].data(), n_);
    }
  }
  double of(const std::vector<double>& gram) const {
    double te = gaussian_te_of(gram, past_, source_, future_);
    if (correct_) te -= static_cast<double>(source_) * future_ / (2.0 * static_cast<double>(n_));
    return te;
  }
  // ln p(f|p,s) - ln p(f|p) of the fitted densities.
  void fill_locals(double* locals, double te) const {
    std::fill(locals, locals + n_, std::isfinite(te) ? 0.0 : te);
    if (!std::isfinite(te)) return;
    const auto before = residuals(columns_, without_, n_), after = residuals(columns_, with_, n_);
    const double n = static_cast<double>(n_);
    for (int f = 0; f < future_; ++f) {
      const auto &b = before[past_ + f], &a = after[past_ + source_ + f];
      if (b.empty() || a.empty()) continue;
      const double vb = dot(b.data(), b.data(), n_), va = dot(a.data(), a.data(), n_);
      const double constant = 0.5 * std::log(vb / va);
      for (int64_t i = 0; i < n_; ++i) locals[i] += constant + 0.5 * n * (b[i] * b[i] / vb - a[i] * a[i] / va);
    }
    if (correct_)
      for (int64_t i = 0; i < n_; ++i) locals[i] -= static_cast<double>(source_) * future_ / (2.0 * n);
  }

  int64_t n_;
  int past_, source_, future_, total_ = 0;
  bool correct_;
  std::vector<Scratch<double>> columns_;  // P, S, F
  std::vector<int> without_, with_;
  std::vector<double> gram_;
};

}  // namespace

double gaussian_te_of(const std::vector<double>& gram, int past, int source, int future) {
  const int total = past + source + future;
  std::vector<int> without, with;
  for (int c = 0; c < total; ++c) {
    if (c < past || c >= past + source) without.push_back(c);
    with.push_back(c);
  }
  const auto before = variances_left(gram, total, without), after = variances_left(gram, total, with);
  double te = 0;
  for (int f = 0; f < future; ++f) {
    const double b = before[past + f], a = after[past + source + f];
    if (b == 0) continue;  // P says it all already
    if (a == 0) return std::numeric_limits<double>::infinity();
    te += 0.5 * std::log(b / a);
  }
  return te;
}

double gaussian_te(const Embedding& e, const int32_t* permutation) {
  const Gaussian gaussian(e, false);
  if (!permutation) return gaussian.value(nullptr, Control());
  double te = 0;
  gaussian.permuted(permutation, 1, &te, Control());
  return te;
}

std::unique_ptr<Estimator> make_gaussian(const Embedding& e, const xc_te_options& o) {
  return std::make_unique<Gaussian>(e, o.bias_correction != 0);
}

// Closed forms of the regularised incomplete gamma function for whole and half-whole parameters (Abramowitz and Stegun
// 26.4.4 and 26.4.5); beyond some thousand degrees Wilson and Hilferty's normal approximation (26.4.17).
double chi_squared_tail(double x, double freedom) {
  if (!(x > 0)) return 1;
  if (freedom > 4000) {
    const double spread = 2.0 / (9.0 * freedom);
    const double z = (std::cbrt(x / freedom) - (1 - spread)) / std::sqrt(spread);
    return 0.5 * std::erfc(z / std::sqrt(2.0));
  }
  const int64_t whole = static_cast<int64_t>(freedom);
  const double half = x / 2;
  double sum = 0;
  // Terms as exponentials of logarithms: exp(-x/2) alone would vanish for large x and many degrees.
  if (whole % 2 == 0) {
    double log_term = -half;
    sum = std::exp(log_term);
    for (int64_t m = 1; m < whole / 2; ++m) {
      log_term += std::log(half / static_cast<double>(m));
      sum += std::exp(log_term);
    }
  } else {
    sum = std::erfc(std::sqrt(half));
    double log_term = std::log(2 * std::sqrt(half / kPi)) - half;
    for (int64_t m = 1; m <= whole / 2; ++m) {
      sum += std::exp(log_term);
      log_term += std::log(half / (static_cast<double>(m) + 0.5));
    }
  }
  return std::min(1.0, sum);
}

}  // namespace xcore::te
