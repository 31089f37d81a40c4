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
constexpr double kAmplitude = 0.15;      // nats at 8 neighbours, prior deviation
constexpr double kFewNeighbours = 0.01;  // nats at 4 neighbours, prior deviation of the term in 1/k
// The first term of smooth densities at 8 neighbours, prior deviation: nats, and at most this part of the influence.
constexpr double kSmooth = 0.03, kSmoothPart = 0.1;

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

Extrapolation extrapolate(const std::vector<int32_t>& neighbours, const std::vector<double>& values, double noise) {
  const size_t n = values.size();
  std::vector<double> few(n), ones(n, 1.0);
  for (size_t i = 0; i < n; ++i) few[i] = kFewNeighbours * 4 / neighbours[i];
  const double first = std::min(kSmooth, kSmoothPart * std::max(0.0, values[n / 2]));
  struct Fit {
    double value, log_likelihood, prior_variance;
    std::vector<double> weights;
  };
  std::vector<Fit> fits;
  for (const Shape& shape : kShapes) {
    std::vector<double> bias(n), smooth(n, 0.0), matrix(n * n);
    for (size_t i = 0; i < n; ++i) bias[i] = kAmplitude * bias_shape(shape, neighbours[i]);
    if (shape.exponent > 0.5)
      for (size_t i = 0; i < n; ++i) smooth[i] = first * std::pow(neighbours[i] / 8.0, 2.0 / 3);
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j)
        matrix[i * n + j] = noise * neighbour_noise(std::max(neighbours[i], neighbours[j])) + few[i] * few[j] + bias[i] * bias[j] +
                            smooth[i] * smooth[j];
    const Covariance covariance(std::move(matrix), n);
    Fit fit;
    fit.weights = covariance.solve(ones);
    const double variance = 1 / dot(ones, fit.weights);
    for (double& w : fit.weights) w *= variance;
    fit.value = dot(fit.weights, values);
    std::vector<double> rest = values;
    for (double& v : rest) v -= fit.value;
    fit.log_likelihood = -0.5 * (dot(rest, covariance.solve(rest)) + covariance.log_determinant() - std::log(variance));
    fit.prior_variance = std::pow(dot(fit.weights, few), 2) + std::pow(dot(fit.weights, bias), 2) + std::pow(dot(fit.weights, smooth), 2);
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
