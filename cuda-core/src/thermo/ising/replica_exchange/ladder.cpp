// Placing temperatures.
#include <algorithm>
#include <cmath>

#include "thermo/ising/replica_exchange/replica_exchange.hpp"

namespace xcore::thermo::ising {

namespace {

// Slopes of the monotone cubic through (x, y) with y ascending: F. Fritsch, R. Carlson, SIAM J. Numer. Anal. 17, 238 (1980).
std::vector<double> monotone_slopes(const std::vector<double>& x, const std::vector<double>& y) {
  const size_t n = x.size();
  std::vector<double> secant(n - 1), slope(n);
  for (size_t k = 0; k + 1 < n; ++k) secant[k] = (y[k + 1] - y[k]) / (x[k + 1] - x[k]);
  slope[0] = secant[0];
  slope[n - 1] = secant[n - 2];
  for (size_t k = 1; k + 1 < n; ++k) {
    // The weighted harmonic mean keeps the curve monotone.
    const double h0 = x[k] - x[k - 1], h1 = x[k + 1] - x[k];
    const double w0 = 2 * h1 + h0, w1 = h1 + 2 * h0;
    slope[k] = secant[k - 1] > 0 && secant[k] > 0 ? (w0 + w1) / (w0 / secant[k - 1] + w1 / secant[k]) : 0;
  }
  return slope;
}

}  // namespace

std::vector<double> equal_rejection_ladder(const std::vector<double>& betas, const std::vector<double>& rejections) {
  const size_t n = betas.size();
  std::vector<double> barrier(n, 0.0);
  // Rejections that were never seen still get a little room, or temperatures would collapse.
  for (size_t k = 0; k + 1 < n; ++k) barrier[k + 1] = barrier[k] + std::clamp(rejections[k], 1e-4, 1.0);
  const std::vector<double> slope = monotone_slopes(betas, barrier);
  std::vector<double> out(betas);
  size_t k = 0;
  for (size_t j = 1; j + 1 < n; ++j) {
    const double wanted = barrier[n - 1] * static_cast<double>(j) / static_cast<double>(n - 1);
    while (barrier[k + 1] < wanted) ++k;
    const double h = betas[k + 1] - betas[k];
    double low = 0, high = 1;
    for (int step = 0; step < 60; ++step) {
      const double t = (low + high) / 2, u = 1 - t;
      const double value = barrier[k] * (1 + 2 * t) * u * u + barrier[k + 1] * t * t * (3 - 2 * t) +
                           h * t * u * (slope[k] * u - slope[k + 1] * t);
      (value < wanted ? low : high) = t;
    }
    out[j] = betas[k] + h * low;
  }
  return out;
}

std::vector<double> feedback_ladder(const std::vector<double>& betas, std::vector<double> upward) {
  const size_t n = betas.size();
  upward[0] = 1;
  upward[n - 1] = 0;
  for (size_t k = 1; k + 1 < n; ++k)
    if (!(upward[k] >= 0 && upward[k] <= 1)) upward[k] = upward[k - 1];
  // The nearest falling sequence (pool adjacent violators), since noise may rise.
  std::vector<std::pair<double, int>> blocks;
  for (const double f : upward) {
    blocks.emplace_back(f, 1);
    while (blocks.size() > 1 && blocks[blocks.size() - 2].first < blocks.back().first) {
      const auto last = blocks.back();
      blocks.pop_back();
      auto& into = blocks.back();
      into.first = (into.first * into.second + last.first * last.second) / (into.second + last.second);
      into.second += last.second;
    }
  }
  std::vector<double> falling;
  for (const auto& b : blocks) falling.insert(falling.end(), b.second, b.first);
  // A density sqrt(df / dx / dx) puts sqrt(df) of mass into each old interval.
  std::vector<double> mass(n, 0.0);
  const double least = 0.05 / static_cast<double>(n - 1);
  for (size_t k = 0; k + 1 < n; ++k) mass[k + 1] = mass[k] + std::sqrt(std::max(falling[k] - falling[k + 1], least));
  std::vector<double> out(betas);
  size_t k = 0;
  for (size_t j = 1; j + 1 < n; ++j) {
    const double wanted = mass[n - 1] * static_cast<double>(j) / static_cast<double>(n - 1);
    while (mass[k + 1] < wanted) ++k;
    out[j] = betas[k] + (betas[k + 1] - betas[k]) * (wanted - mass[k]) / (mass[k + 1] - mass[k]);
  }
  return out;
}

}  // namespace xcore::thermo::ising
