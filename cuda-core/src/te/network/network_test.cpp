#include "te/network/network.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "te/gaussian/gaussian.hpp"
#include "te/network/binned/binned_pairs.hpp"
#include "te/network/testing_network.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::te;

namespace {

class Network : public xcore::testing::BackendTest {
 protected:
  xc_te_network_options options(int32_t estimator) const {
    xc_te_network_options o{};
    o.size = sizeof o, o.estimator = estimator, o.k = 4, o.bins = 8;
    o.target_history = o.target_tau = o.source_history = o.source_tau = o.min_delay = o.max_delay = o.normalise = 1;
    o.device = device();
    return o;
  }
  std::vector<double> te(const std::vector<double>& values, int32_t variables, const xc_te_network_options& o) const {
    std::vector<double> out(static_cast<size_t>(variables) * variables);
    xc_te_network_result result{};
    network(values.data(), variables, static_cast<int64_t>(values.size()) / variables, o, out.data(), nullptr, nullptr, result, Control());
    return out;
  }
};

TEST_P(Network, gaussian_values_are_those_of_single_pairs_for_every_history) {
  const auto values = sparse_var(7, 240, 3);
  for (const int history : {1, 2, 3}) {
    auto o = options(XC_TE_NETWORK_GAUSSIAN);
    o.target_history = o.source_history = history;
    const auto got = te(values, 7, o);
    for (int x = 0; x < 7; ++x) {
      for (int y = 0; y < 7; ++y) {
        const auto e = embed({values.data() + x * 240, 1, 0}, {values.data() + y * 240, 1, 0}, {nullptr, 0, 0}, 240, network_embedding(4, history, history));
        EXPECT_NEAR(got[x * 7 + y], x == y ? 0 : gaussian_te(e, nullptr), 1e-12) << x << ' ' << y;
      }
    }
  }
}

// The plug-in sum of p(f,p,s) ln [p(f|p,s) / p(f|p)], from maps.
double plug_in(const std::vector<uint8_t>& x, const std::vector<uint8_t>& y, int history) {
  std::map<std::vector<int>, double> fps, fp, ps, p;
  const int first = history - 1, last = static_cast<int>(y.size()) - 2;
  for (int t = first; t <= last; ++t) {
    std::vector<int> past, source;
    for (int h = 0; h < history; ++h) past.push_back(y[t - h]), source.push_back(x[t - h]);
    const auto join = [](std::vector<int> a, const std::vector<int>& b) {
      a.insert(a.end(), b.begin(), b.end());
      return a;
    };
    const std::vector<int> f{y[t + 1]};
    ++fps[join(join(f, past), source)], ++fp[join(f, past)], ++ps[join(past, source)], ++p[past];
  }
  double sum = 0;
  for (const auto& [key, count] : fps) {
    const std::vector<int> f_p(key.begin(), key.begin() + 1 + history), p_s(key.begin() + 1, key.end()), past(key.begin() + 1, key.begin() + 1 + history);
    sum += count * std::log(count * p[past] / (fp[f_p] * ps[p_s]));
  }
  return sum / (last - first + 1);
}

TEST_P(Network, binned_values_are_the_plug_in_sum_for_both_binnings_and_histories) {
  const auto values = sparse_var(5, 300, 4);
  for (const bool frequency : {false, true}) {
    for (const int history : {1, 2}) {
      auto o = options(XC_TE_NETWORK_BINNED);
      o.bins = history == 1 ? 8 : 4, o.equal_frequency = frequency, o.target_history = o.source_history = history;
      const auto got = te(values, 5, o);
      std::vector<std::vector<uint8_t>> bins(5, std::vector<uint8_t>(300));
      for (int v = 0; v < 5; ++v) bin_series(values.data() + v * 300, 300, o.bins, frequency, bins[v].data());
      for (int x = 0; x < 5; ++x)
        for (int y = 0; y < 5; ++y) EXPECT_NEAR(got[x * 5 + y], x == y ? 0 : plug_in(bins[x], bins[y], history), 1e-12);
    }
  }
}

TEST_P(Network, noise_and_delays_leave_no_value_unset) {
  auto o = options(XC_TE_NETWORK_KSG1);
  o.max_delay = 3, o.noise = 1e-3, o.precision = XC_TE_F64;
  const auto got = te(sparse_var(4, 150, 5), 4, o);
  for (int m = 0; m < 16; ++m) EXPECT_TRUE(m % 5 == 0 ? got[m] == 0 : std::isfinite(got[m]) && got[m] != 0) << m;
}
XC_INSTANTIATE_BACKENDS(Network);

}  // namespace
