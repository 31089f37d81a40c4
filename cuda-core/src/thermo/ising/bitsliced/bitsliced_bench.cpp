// Spin updates a nanosecond of the bit-sliced sweep, on graphs like those of the Gset, over an annealing path.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>

#include "runtime/thread_pool.hpp"
#include "thermo/ising/bitsliced/anneal.hpp"

namespace {

using namespace xcore;
using namespace xcore::thermo::ising;

Model random_graph(int32_t n, int64_t edges, bool signs) {
  Philox random(1);
  std::vector<Edge> list;
  while (static_cast<int64_t>(list.size()) < edges) {
    const auto a = static_cast<int32_t>(random.next_below(n)), b = static_cast<int32_t>(random.next_below(n));
    // A pair that comes twice keeps weights of +-1 apart only by adding up; that is rare enough not to matter here.
    if (a != b) list.push_back({a, b, signs && (random.next_u32() & 1) ? 1.0 : -1.0});
  }
  return build_model(n, std::move(list), std::vector<double>(n, 0.0));
}

Model torus(int32_t rows, int32_t columns) {
  Philox random(2);
  std::vector<Edge> list;
  for (int32_t r = 0; r < rows; ++r)
    for (int32_t c = 0; c < columns; ++c) {
      list.push_back({r * columns + c, r * columns + (c + 1) % columns, random.next_u32() & 1 ? 1.0 : -1.0});
      list.push_back({r * columns + c, (r + 1) % rows * columns + c, random.next_u32() & 1 ? 1.0 : -1.0});
    }
  return build_model(rows * columns, std::move(list), std::vector<double>(rows * columns, 0.0));
}

double seconds_of(const Model& m, int sweeps, int64_t replicas, xc_device device) {
  std::vector<double> betas;
  for (int k = 0; k < sweeps; ++k) betas.push_back(1 / (2.5 * std::pow(0.12, k / (sweeps - 1.0))));  // T 2.5 to 0.3
  const auto start = std::chrono::steady_clock::now();
  anneal_replicas(m, betas, replicas, 1, device, Control());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void bench_bitsliced(xc_device device) {
  const bool cpu = device.kind == XC_DEVICE_CPU;
  const struct {
    const char* name;
    Model model;
  } graphs[] = {{"n 800, degree 48", random_graph(800, 19176, false)},
                {"n 2000, degree 20", random_graph(2000, 19990, false)},
                {"n 2000, torus +-1", torus(100, 20)},
                {"n 5000, degree 5", random_graph(5000, 12498, false)}};
  const int before = thread_pool().threads();
  if (cpu) thread_pool().set_threads(1);
  for (const auto& g : graphs) {
    const int64_t replicas = cpu ? kLanes : 67584;
    const int few = cpu ? 50 : 100, many = cpu ? 350 : 1600;
    // Two lengths, so that what is done once (building, copying) drops out.
    double best = INFINITY;
    for (int round = 0; round < 3; ++round)
      best = std::min(best, seconds_of(g.model, many, replicas, device) - seconds_of(g.model, few, replicas, device));
    const double updates = static_cast<double>(g.model.n) * static_cast<double>(replicas) * (many - few);
    std::printf("%-40s %s  %10.2f spin updates/ns%s\n", (std::string("bit-sliced Metropolis, ") + g.name).c_str(),
                cpu ? "cpu " : "cuda", updates / best * 1e-9, cpu ? " a core" : "");
  }
  thread_pool().set_threads(before);
}
