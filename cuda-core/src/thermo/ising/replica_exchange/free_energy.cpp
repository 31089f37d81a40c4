#include "thermo/ising/replica_exchange/free_energy.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace xcore::thermo::ising {

namespace {

constexpr double kMostValues = 1 << 20;

double bennett_log_ratio(const EnergySamples& a, const EnergySamples& b, double step) {
  if (step == 0) return 0;
  // With x = step E the root c of sum_a f(x + c) = sum_b f(-x - c), f the logistic weighted by the counts, is the answer.
  const double tilt = std::log(a.count() / b.count());
  // The excess of the left side, which falls with c, and its slope.
  const auto excess = [&](double c) {
    double sum = 0, slope = 0;
    const auto add = [&](const EnergySamples& samples, double sign) {
      for (size_t i = 0; i < samples.energies().size(); ++i) {
        const double x = sign * (step * samples.energies()[i] + c + tilt), e = std::exp(-std::fabs(x));
        const double low = e / (1 + e);  // the logistic at |x|
        sum += sign * samples.weights()[i] * (x > 0 ? low : 1 - low);
        slope -= samples.weights()[i] * low * (1 - low);
      }
    };
    add(a, 1);
    add(b, -1);
    return std::pair{sum, slope};
  };
  double low = INFINITY, high = -INFINITY;
  for (const EnergySamples* samples : {&a, &b})
    for (const double e : samples->energies()) low = std::min(low, -step * e), high = std::max(high, -step * e);
  low -= 1 + std::fabs(tilt);
  high += 1 + std::fabs(tilt);
  // Newton's steps from the trapezoid's answer, bisection where they leave the bracket.
  double c = std::clamp(-step * (a.mean() + b.mean()) / 2, low, high);
  for (int k = 0; k < 200; ++k) {
    const auto [sum, slope] = excess(c);
    (sum > 0 ? low : high) = c;
    double next = c - sum / slope;
    if (!(next > low && next < high)) next = (low + high) / 2;
    const double moved = std::fabs(next - c);
    c = next;
    if (moved <= 1e-13 * (1 + std::fabs(c))) break;
  }
  return c;
}

}  // namespace

EnergySamples::EnergySamples(const std::vector<double>& energies, double unit) : count_(static_cast<double>(energies.size())) {
  const auto [least, most] = std::minmax_element(energies.begin(), energies.end());
  if (energies.empty() || !(unit > 0) || !((*most - *least) / unit < kMostValues)) {
    energies_ = energies;
    weights_.assign(energies.size(), 1.0);
    return;
  }
  const double first = std::round(*least / unit);
  std::vector<double> seen(static_cast<size_t>(std::round(*most / unit) - first) + 1, 0.0);
  for (const double e : energies) ++seen[static_cast<size_t>(std::lround(e / unit - first))];
  for (size_t k = 0; k < seen.size(); ++k) {
    if (seen[k] == 0) continue;
    energies_.push_back((first + static_cast<double>(k)) * unit);
    weights_.push_back(seen[k]);
  }
}

double EnergySamples::mean() const {
  double sum = 0;
  for (size_t i = 0; i < energies_.size(); ++i) sum += weights_[i] * energies_[i];
  return sum / count_;
}

double EnergySamples::variance() const {
  const double center = mean();
  double sum = 0;
  for (size_t i = 0; i < energies_.size(); ++i) sum += weights_[i] * (energies_[i] - center) * (energies_[i] - center);
  return sum / std::max(1.0, count_ - 1);
}

EnergySamples merged(const std::vector<EnergySamples>& parts) {
  // Equal energies meet where that makes the list shorter; samples that are all different stay side by side.
  EnergySamples out;
  bool few = true;
  for (const EnergySamples& part : parts) {
    out.count_ += part.count_;
    few &= part.energies_.size() < part.count_;
  }
  std::map<double, double> together;
  for (const EnergySamples& part : parts)
    for (size_t i = 0; i < part.energies_.size(); ++i) {
      if (few) {
        together[part.energies_[i]] += part.weights_[i];
      } else {
        out.energies_.push_back(part.energies_[i]);
        out.weights_.push_back(part.weights_[i]);
      }
    }
  for (const auto& [energy, weight] : together) {
    out.energies_.push_back(energy);
    out.weights_.push_back(weight);
  }
  return out;
}

FreeEnergyStep free_energy_step(const EnergySamples& a, double beta_a, const EnergySamples& b, double beta_b) {
  const double step = beta_b - beta_a;
  return {bennett_log_ratio(a, b, step),
          -step * (a.mean() + b.mean()) / 2 - step * step / 12 * (b.variance() - a.variance())};
}

}  // namespace xcore::thermo::ising
