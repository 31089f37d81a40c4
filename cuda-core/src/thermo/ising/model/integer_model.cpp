#include "thermo/ising/model/integer_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xcore::thermo::ising {

namespace {

// The unit of which all values are whole multiples, found among sums of powers of two: doubles are integers times a
// power of two, so only weights of the same few binary digits have one that is of use. 0 when there is none.
double common_unit(const Model& m, double most, int32_t largest) {
  int exponent;
  std::frexp(most, &exponent);
  const double fine = std::ldexp(1.0, std::max(exponent - 40, -1000));  // 40 binary digits below the largest weight
  int64_t divisor = 0;
  double last = 0;  // most models have few different weights
  const auto take = [&](double w) {
    if (std::fabs(w) == last) return true;
    last = std::fabs(w);
    const double q = std::fabs(w) / fine;
    if (q != std::floor(q)) return false;
    divisor = std::gcd(divisor, static_cast<int64_t>(q));
    return divisor == 0 || most / (static_cast<double>(divisor) * fine) <= largest;
  };
  for (const double w : m.couplings)
    if (!take(w)) return 0;
  for (const double h : m.fields)
    if (!take(h)) return 0;
  const double unit = static_cast<double>(divisor) * fine;
  return unit > 0 && most / unit <= largest ? unit : 0;
}

double largest_weight(const Model& m) {
  double most = 0;
  for (const double w : m.couplings) most = std::max(most, std::fabs(w));
  for (const double h : m.fields) most = std::max(most, std::fabs(h));
  return most;
}

}  // namespace

double exact_unit(const Model& m, int32_t largest) {
  const double most = largest_weight(m);
  return most > 0 ? common_unit(m, most, largest) : 1;
}

IntegerModel to_integers(const Model& m, int32_t largest) {
  const double most = largest_weight(m);
  IntegerModel out;
  out.n = m.n;
  out.offsets = m.offsets;
  out.neighbours = m.neighbours;
  const double unit = exact_unit(m, largest);
  out.exact = unit > 0;
  out.unit = out.exact ? unit : most / largest;
  const auto convert = [&](double w) { return static_cast<int32_t>(std::lround(w / out.unit)); };
  out.couplings.resize(m.couplings.size());
  std::transform(m.couplings.begin(), m.couplings.end(), out.couplings.begin(), convert);
  out.fields.resize(m.n);
  std::transform(m.fields.begin(), m.fields.end(), out.fields.begin(), convert);
  return out;
}

}  // namespace xcore::thermo::ising
