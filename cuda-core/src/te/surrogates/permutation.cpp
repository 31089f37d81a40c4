#include "te/surrogates/permutation.hpp"

#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "runtime/philox.hpp"

namespace xcore::te {

void permutation(uint64_t seed, uint64_t index, int64_t n, int32_t* out) {
  std::iota(out, out + n, 0);
  Philox random(seed, index);
  for (int64_t i = n - 1; i > 0; --i) std::swap(out[i], out[random.next_below(static_cast<uint32_t>(i + 1))]);
}

Significance significance(double te, const std::vector<double>& surrogates) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  if (surrogates.empty()) return {nan, nan, nan};
  const double count = static_cast<double>(surrogates.size());
  const double mean = std::accumulate(surrogates.begin(), surrogates.end(), 0.0) / count;
  double squares = 0;
  int64_t reached = 0;
  for (double v : surrogates) {
    squares += (v - mean) * (v - mean);
    reached += v >= te;
  }
  return {mean, surrogates.size() > 1 ? std::sqrt(squares / (count - 1)) : nan,
          (1.0 + static_cast<double>(reached)) / (1.0 + count)};
}

}  // namespace xcore::te
