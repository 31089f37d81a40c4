// Policies a second on the CPU: S = O = 64, one factor, four actions, eight steps, random policies (nothing shared but
// chance prefixes) and an enumeration of six steps (most of it shared).
#include <chrono>
#include <cstdio>

#include "agent/efe/efe.hpp"
#include "agent/random_model_test.hpp"
#include "runtime/thread_pool.hpp"

using namespace xcore;
using namespace xcore::agent;
using namespace xcore::agent::testing;

static void measure(const char* name, const Model& model, const std::vector<int32_t>& actions, int32_t steps) {
  const Policies policies{actions.data(), static_cast<int64_t>(actions.size()) / steps, steps};
  const auto beliefs = random_beliefs(model, 2);
  std::vector<double> utility(policies.count), gain(policies.count);
  double best = 1e300;
  for (int run = 0; run < 10; ++run) {
    const auto start = std::chrono::steady_clock::now();
    efe_cpu(model, beliefs.data(), policies, utility.data(), gain.data());
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("%-12s %6lld policies x %d steps, %d threads: %8.2f ms\n", name, static_cast<long long>(policies.count), steps,
              thread_pool().threads(), best);
}

int main() {
  const Model model = random_model({{64}, {4}, {64}, {{0}}, {{0}}}, 1);
  measure("random", model, random_policies(model, 4096, 8, 3), 8);
  std::vector<int32_t> all;
  for (int p = 0; p < 4096; ++p)
    for (int t = 5; t >= 0; --t) all.push_back((p >> (2 * t)) & 3);
  measure("enumerated", model, all, 6);
}
