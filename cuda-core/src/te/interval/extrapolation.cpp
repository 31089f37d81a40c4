#include "te/interval/extrapolation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xcore::te {
namespace {

// Exponents and bends of the bias curves; a bend of 0 is none. Chosen, with the figures below, on systems that the
// published coverage is not measured on.
struct Shape {
  double exponent, bend;
};
constexpr Shape kShapes[] = {{1.0 / 3, 0}, {2.0 / 3, 16}, {1, 8}, {1, 32}, {1.2, 32}, {1.2, 0}, {1.4, 8}};
// The prior of A, the bias of 8 neighbours of a thousand: in nats, of influence T
//   deviation kDeviation T / (T + kWeak) + kDeviationPart T,   mean kMean deviations times T / (T + kHalf).
// Both go with n to the power -kDecay.
constexpr double kDeviation = 0.0678, kWeak = 0.21, kDeviationPart = 0.0345, kMean = 2.08, kHalf = 0.577, kDecay = 0.4;
constexpr double kRise = 0.0412;  // r, nats, of influence far above kHalf; 0 along edges

double bias_shape(const Shape& s, double k) {
  const double power = std::pow(k / 8, s.exponent);
  return s.bend > 0 ? power * std::pow((1 + 8 / s.bend) / (1 + k / s.bend), s.exponent / 2) : power;
}

// A covariance matrix by its lower factor.
class Covariance {
 public:
  explicit Covariance(std::vector<double> matrix, size_t n) : n_(n), l_(std::move(matrix)) {
    for (size_t i = 0; i < n_; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        double sum = l_[i * n_ + j];
        for (size_t q = 0; q < j; ++q) sum -= l_[i * n_ + q] * l_[j * n_ + q];
        l_[i * n_ + j] = i == j ? std::sqrt(std::max(sum, 1e-300)) : sum / l_[j * n_ + j];
      }
    }
  }
  double log_determinant() const {
    double sum = 0;
    for (size_t i = 0; i < n_; ++i) sum += 2 * std::log(l_[i * n_ + i]);
    return sum;
  }
  std::vector<double> solve(std::vector<double> b) const {
    for (size_t i = 0; i < n_; ++i) {
      for (size_t q = 0; q < i; ++q) b[i] -= l_[i * n_ + q] * b[q];
      b[i] /= l_[i * n_ + i];
    }
    for (size_t i = n_; i-- > 0;) {
      for (size_t q = i + 1; q < n_; ++q) b[i] -= l_[q * n_ + i] * b[q];
      b[i] /= l_[i * n_ + i];
    }
    return b;
  }

 private:
  size_t n_;
  std::vector<double> l_;
};

double dot(const std::vector<double>& a, const std::vector<double>& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

}  // namespace

double neighbour_noise(int32_t k) { return std::pow(static_cast<double>(k) / 4, -1.3); }

Extrapolation extrapolate(const std::vector<int32_t>& neighbours, const std::vector<double>& values, int64_t tuples, double noise) {
  const size_t n = values.size();
  const std::vector<double> ones(n, 1.0);
  const double influence = std::max(0.0, values[n / 2]), strong = influence / (influence + kHalf);
  const double deviation = (kDeviation * influence / (influence + kWeak) + kDeviationPart * influence) *
                           std::pow(static_cast<double>(tuples) / 1000, -kDecay);
  struct Fit {
    double value, log_likelihood, prior_variance;
    std::vector<double> weights;
  };
  std::vector<Fit> fits;
  for (const Shape& shape : kShapes) {
    const bool edge = shape.exponent < 0.5;
    std::vector<double> loss(n), matrix(n * n), raised = values;
    for (size_t i = 0; i < n; ++i) loss[i] = deviation * bias_shape(shape, neighbours[i]), raised[i] += kMean * strong * loss[i];
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j)
        matrix[i * n + j] = noise * neighbour_noise(std::max(neighbours[i], neighbours[j])) + loss[i] * loss[j];
    const Covariance covariance(std::move(matrix), n);
    Fit fit;
    fit.weights = covariance.solve(ones);
    const double variance = 1 / dot(ones, fit.weights);
    for (double& w : fit.weights) w *= variance;
    const double none = dot(fit.weights, raised);
    for (double& v : raised) v -= none;
    fit.value = none - (edge ? 0 : kRise * strong);
    fit.log_likelihood = -0.5 * (dot(raised, covariance.solve(raised)) + covariance.log_determinant() - std::log(variance));
    fit.prior_variance = std::pow(dot(fit.weights, loss), 2);
    fits.push_back(std::move(fit));
  }
  double best = fits[0].log_likelihood, total = 0;
  for (const Fit& f : fits) best = std::max(best, f.log_likelihood);
  Extrapolation out{0, std::vector<double>(n, 0.0), 0};
  for (Fit& f : fits) total += f.log_likelihood = std::exp(f.log_likelihood - best);
  for (const Fit& f : fits) {
    const double p = f.log_likelihood / total;
    out.value += p * f.value;
    for (size_t i = 0; i < n; ++i) out.weights[i] += p * f.weights[i];
  }
  for (const Fit& f : fits) {
    const double p = f.log_likelihood / total;
    out.model_variance += p * ((f.value - out.value) * (f.value - out.value) + f.prior_variance);
  }
  return out;
}

}  // namespace xcore::te
