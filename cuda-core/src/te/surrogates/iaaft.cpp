// Iterative amplitude-adjusted Fourier transform surrogates.
#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>

#include "te/ksg/ranked_column.hpp"
#include "te/surrogates/permutation.hpp"
#include "te/surrogates/surrogates.hpp"

namespace xcore::te {
namespace {

using Complex = std::complex<double>;
constexpr double kPi = 3.14159265358979323846;
constexpr int kMostRounds = 100;

// A discrete Fourier transform of any length: powers of two directly, others as a convolution with a chirp
// (L. Bluestein, IEEE Trans. Audio Electroacoust. 18, 451 (1970)).
class Fourier {
 public:
  explicit Fourier(int64_t n) : n_(n), m_(1) {
    const bool power = (n & (n - 1)) == 0;
    while (m_ < (power ? n : 2 * n - 1)) m_ *= 2;
    roots_.resize(m_ / 2 + 1);
    for (int64_t i = 0; i < m_ / 2; ++i) roots_[i] = std::polar(1.0, -2 * kPi * static_cast<double>(i) / static_cast<double>(m_));
    if (power) return;
    chirp_.resize(n);
    // i^2 modulo 2n: exact angles however long the series.
    for (int64_t i = 0; i < n; ++i)
      chirp_[i] = std::polar(1.0, -kPi * static_cast<double>(static_cast<uint64_t>(i) * static_cast<uint64_t>(i) % static_cast<uint64_t>(2 * n)) / static_cast<double>(n));
    filter_.assign(m_, Complex(0));
    filter_[0] = std::conj(chirp_[0]);
    for (int64_t i = 1; i < n; ++i) filter_[i] = filter_[m_ - i] = std::conj(chirp_[i]);
    powers(filter_);
  }
  // In place, unscaled.
  void forward(Scratch<Complex>& x) const {
    if (chirp_.empty()) {
      powers(x);
      return;
    }
    Scratch<Complex> a(m_, Complex(0));
    for (int64_t i = 0; i < n_; ++i) a[i] = x[i] * chirp_[i];
    powers(a);
    for (int64_t i = 0; i < m_; ++i) a[i] = std::conj(a[i] * filter_[i]);
    powers(a);
    for (int64_t i = 0; i < n_; ++i) x[i] = std::conj(a[i]) / static_cast<double>(m_) * chirp_[i];
  }
  void inverse(Scratch<Complex>& x) const {
    for (Complex& v : x) v = std::conj(v);
    forward(x);
    for (Complex& v : x) v = std::conj(v) / static_cast<double>(n_);
  }

 private:
  void powers(Scratch<Complex>& x) const {
    const int64_t m = m_;
    for (int64_t i = 1, j = 0; i < m; ++i) {
      int64_t bit = m >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) std::swap(x[i], x[j]);
    }
    for (int64_t half = 1; half < m; half *= 2) {
      const int64_t step = m / (2 * half);
      for (int64_t at = 0; at < m; at += 2 * half) {
        for (int64_t i = 0; i < half; ++i) {
          const Complex u = x[at + i], v = x[at + i + half] * roots_[i * step];
          x[at + i] = u + v, x[at + i + half] = u - v;
        }
      }
    }
  }
  int64_t n_, m_;
  Scratch<Complex> roots_, chirp_, filter_;
};

}  // namespace

void iaaft(const double* series, int64_t n, uint64_t seed, uint64_t stream, double* out) {
  Scratch<int32_t> rows(n);
  permutation(seed, stream, n, rows.data());
  for (int64_t i = 0; i < n; ++i) out[i] = series[rows[i]];
  if (n < 3) return;
  RankedColumn<double> ranked;
  rank_column(series, n, ranked);
  const Fourier fourier(n);
  Scratch<Complex> x(n);
  Scratch<double> amplitude(n), now(n);
  for (int64_t i = 0; i < n; ++i) x[i] = series[i];
  fourier.forward(x);
  for (int64_t i = 0; i < n; ++i) amplitude[i] = std::abs(x[i]);
  RankedColumn<double> order;
  Scratch<int32_t> before;
  for (int round = 0; round < kMostRounds; ++round) {
    // The spectrum of the series with the phases of the surrogate, then the values of the series in its rank order.
    for (int64_t i = 0; i < n; ++i) x[i] = out[i];
    fourier.forward(x);
    for (int64_t i = 0; i < n; ++i) {
      const double size = std::abs(x[i]);
      x[i] = size > 0 ? x[i] * (amplitude[i] / size) : Complex(amplitude[i]);
    }
    fourier.inverse(x);
    for (int64_t i = 0; i < n; ++i) now[i] = std::isfinite(x[i].real()) ? x[i].real() : 0.0;
    rank_column(now.data(), n, order);
    for (int64_t i = 0; i < n; ++i) out[i] = ranked.sorted[order.rank[i]];
    if (order.rank == before) break;
    before = order.rank;
  }
}

}  // namespace xcore::te
