// Iterative amplitude-adjusted Fourier transform surrogates.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "te/ksg/ranked_column.hpp"
#include "te/surrogates/permutation.hpp"
#include "te/surrogates/surrogates.hpp"

namespace xcore::te {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int kMostRounds = 100;

// Complex values, parts apart: products of std::complex look for infinities, and loops over them do not vectorise.
struct Complexes {
  Scratch<double> re, im;
  explicit Complexes(int64_t n = 0) : re(n, 0.0), im(n, 0.0) {}
};

// A discrete Fourier transform of any length: powers of two directly, others as a convolution with a chirp
// (L. Bluestein, IEEE Trans. Audio Electroacoust. 18, 451 (1970)).
class Fourier {
 public:
  explicit Fourier(int64_t n) : n_(n), m_(1) {
    const bool power = (n & (n - 1)) == 0;
    while (m_ < (power ? n : 2 * n - 1)) m_ *= 2;
    // Of each stage by itself, so that its loop reads them one after the other.
    roots_ = Complexes(m_);
    for (int64_t half = 1; half < m_; half *= 2) {
      for (int64_t i = 0; i < half; ++i) {
        const double angle = -kPi * static_cast<double>(i) / static_cast<double>(half);
        roots_.re[half + i] = std::cos(angle), roots_.im[half + i] = std::sin(angle);
      }
    }
    if (power) return;
    chirp_ = Complexes(n), filter_ = Complexes(m_);
    // i^2 modulo 2n: exact angles however long the series.
    for (int64_t i = 0; i < n; ++i) {
      const uint64_t square = static_cast<uint64_t>(i) * static_cast<uint64_t>(i) % static_cast<uint64_t>(2 * n);
      const double angle = kPi * static_cast<double>(square) / static_cast<double>(n);
      chirp_.re[i] = std::cos(angle), chirp_.im[i] = -std::sin(angle);
      for (const int64_t at : {i, (m_ - i) % m_}) filter_.re[at] = chirp_.re[i], filter_.im[at] = -chirp_.im[i];
    }
    powers(filter_.re.data(), filter_.im.data());
  }
  // In place, unscaled. `work` is reused between calls.
  void forward(Complexes& x, Complexes& work) const { transform(x.re.data(), x.im.data(), work); }
  // A transform with the parts exchanged is the inverse one with its parts exchanged.
  void inverse(Complexes& x, Complexes& work) const {
    transform(x.im.data(), x.re.data(), work);
    for (int64_t i = 0; i < n_; ++i) x.re[i] /= static_cast<double>(n_), x.im[i] /= static_cast<double>(n_);
  }

 private:
  void transform(double* re, double* im, Complexes& work) const {
    if (chirp_.re.empty()) {
      powers(re, im);
      return;
    }
    work.re.assign(m_, 0.0), work.im.assign(m_, 0.0);
    double *a = work.re.data(), *b = work.im.data();
    product(re, im, chirp_, n_, a, b);
    powers(a, b);
    product(a, b, filter_, m_, a, b);
    powers(b, a);  // back
    product(a, b, chirp_, n_, re, im);
    for (int64_t i = 0; i < n_; ++i) re[i] /= static_cast<double>(m_), im[i] /= static_cast<double>(m_);
  }
  static void product(const double* re, const double* im, const Complexes& by, int64_t n, double* to_re, double* to_im) {
    for (int64_t i = 0; i < n; ++i) {
      const double r = re[i] * by.re[i] - im[i] * by.im[i], c = re[i] * by.im[i] + im[i] * by.re[i];
      to_re[i] = r, to_im[i] = c;
    }
  }
  void powers(double* re, double* im) const {
    const int64_t m = m_;
    for (int64_t i = 1, j = 0; i < m; ++i) {
      int64_t bit = m >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) std::swap(re[i], re[j]), std::swap(im[i], im[j]);
    }
    for (int64_t half = 1; half < m; half *= 2)
      for (int64_t at = 0; at < m; at += 2 * half)
        butterflies(re + at, im + at, re + at + half, im + at + half, roots_.re.data() + half, roots_.im.data() + half, half);
  }
  static void butterflies(double* __restrict re, double* __restrict im, double* __restrict re2, double* __restrict im2,
                          const double* __restrict root_re, const double* __restrict root_im, int64_t half) {
    for (int64_t i = 0; i < half; ++i) {
      const double r = re2[i] * root_re[i] - im2[i] * root_im[i], c = re2[i] * root_im[i] + im2[i] * root_re[i];
      re2[i] = re[i] - r, im2[i] = im[i] - c;
      re[i] += r, im[i] += c;
    }
  }
  int64_t n_, m_;
  Complexes roots_, chirp_, filter_;
};

}  // namespace

void iaaft(const double* series, int64_t n, uint64_t seed, uint64_t stream, double* out) {
  Scratch<int32_t> rank(n);
  permutation(seed, stream, n, rank.data());
  RankedColumn<double> ranked;
  rank_column(series, n, ranked);
  const auto deal = [&] {
    for (int64_t i = 0; i < n; ++i) out[i] = ranked.sorted[rank[i]];
  };
  if (n < 3) return deal();
  // In units of the half range about its middle (in halves: the range of finite values may overflow), so that no square does.
  const double low = ranked.sorted[0] / 2, high = ranked.sorted[n - 1] / 2, unit = high - low > 0 ? high - low : 1;
  Scratch<double> level(n), amplitude(n);
  for (int64_t i = 0; i < n; ++i) level[i] = ((ranked.sorted[i] / 2 - low) - (high - ranked.sorted[i] / 2)) / unit;
  const Fourier fourier(n);
  Complexes x(n), work;
  for (int64_t i = 0; i < n; ++i) x.re[i] = level[ranked.rank[i]];
  fourier.forward(x, work);
  for (int64_t i = 0; i < n; ++i) amplitude[i] = std::sqrt(x.re[i] * x.re[i] + x.im[i] * x.im[i]);
  RankedColumn<double> order;
  for (int round = 0; round < kMostRounds; ++round) {
    // The spectrum of the series with the phases of the surrogate, then the values of the series in its rank order.
    for (int64_t i = 0; i < n; ++i) x.re[i] = level[rank[i]], x.im[i] = 0;
    fourier.forward(x, work);
    for (int64_t i = 0; i < n; ++i) {
      const double size = std::sqrt(x.re[i] * x.re[i] + x.im[i] * x.im[i]);
      if (size > 0) x.re[i] *= amplitude[i] / size, x.im[i] *= amplitude[i] / size;
      else x.re[i] = amplitude[i], x.im[i] = 0;
    }
    fourier.inverse(x, work);
    rank_column(x.re.data(), n, order);
    if (order.rank == rank) break;
    rank = order.rank;
  }
  deal();
}

}  // namespace xcore::te
