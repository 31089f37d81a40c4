// MaxCut on the Gset beside plain simulated annealing:
//   xcore_thermo_bench gset FOLDER [plain=3] [cpu=6] [seeds=12] [gpu=2] [gpu_seeds=50] [GRAPH ...]
// Graphs are named as bench_graphs.hpp says; without names all of FOLDER/best_known.csv.
//
// Plain annealing is what the tables compare with: one thread, Metropolis in index order with kept local fields, T falling
// geometrically from 3 to 0.15, as many runs of 1000 and of 5000 sweeps as fit `plain` seconds. TTS99 is the time after which
// a success is 99 % certain, t ln(0.01) / ln(1 - p) for runs of t seconds that succeed with probability p, never less than
// one run (T. Ronnow et al., Science 345, 420 (2014)). The solver is run with `seeds` seeds until it reaches the cut or its
// limit; its runs may be cut off anywhere, so its TTS99 is the least over t of that formula, with p the share of the runs
// that had succeeded by then, as hits / (runs + 1). Times are wall-clock times of whole calls. Threads: XCORE_THREADS.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/device.hpp"
#include "thermo/ising/ground_state/bench_graphs.hpp"
#include "thermo/ising/ground_state/ground_state.hpp"

namespace {

using namespace xcore;
using namespace xcore::thermo::ising;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct PlainResult {
  double best = -INFINITY, tts = INFINITY, updates_per_ns = 0;
  int runs = 0, hits = 0;
};

PlainResult plain_annealing(const BenchGraph& g, int sweeps, double seconds) {
  const Model m = checked_model({g.edges.data(), g.couplings.data(), nullptr, static_cast<int64_t>(g.couplings.size()), g.n, 0});
  PlainResult out;
  Philox random(1, static_cast<uint64_t>(sweeps));
  std::vector<double> field(m.n);
  std::vector<int8_t> s(m.n);
  const double start = now();
  do {
    for (auto& x : s) x = random.next_u32() & 1 ? 1 : -1;
    double energy = m.energy(s.data()), least = energy;
    for (int32_t i = 0; i < m.n; ++i) field[i] = m.local_field(i, s.data());
    for (int k = 0; k < sweeps; ++k) {
      const double t = 3 * std::pow(0.15 / 3, k / (sweeps - 1.0));
      for (int32_t i = 0; i < m.n; ++i) {
        const double change = 2 * s[i] * field[i];
        if (change > 0 && random.next_float() >= std::exp(-change / t)) continue;
        s[i] = static_cast<int8_t>(-s[i]);
        energy += change;
        least = std::min(least, energy);
        for (int64_t e = m.offsets[i]; e < m.offsets[i + 1]; ++e) field[m.neighbours[e]] += 2 * m.couplings[e] * s[i];
      }
    }
    const double cut = (g.total - least) / 2;
    out.best = std::max(out.best, cut);
    ++out.runs;
    out.hits += cut >= g.target;
  } while (now() - start < seconds);
  const double spent = now() - start, p = static_cast<double>(out.hits) / out.runs;
  out.updates_per_ns = static_cast<double>(out.runs) * sweeps * m.n / spent * 1e-9;
  if (out.hits > 0) out.tts = spent / out.runs * (p < 1 ? std::max(1.0, std::log(0.01) / std::log(1 - p)) : 1);
  return out;
}

struct SolverResult {
  double best = -INFINITY, limit = 0;
  int runs = 0;
  std::vector<double> hits;  // seconds of whole calls

  double mean() const {  // of all runs, those without success counting their limit
    double sum = (runs - static_cast<double>(hits.size())) * limit;
    for (const double t : hits) sum += t;
    return sum / runs;
  }
  double tts() const {
    double least = INFINITY;
    std::vector<double> sorted = hits;
    std::sort(sorted.begin(), sorted.end());
    for (size_t k = 0; k < sorted.size(); ++k) {
      const double p = (k + 1.0) / (runs + 1.0);
      least = std::min(least, sorted[k] * std::max(1.0, std::log(0.01) / std::log(1 - p)));
    }
    return least;
  }
  // When nothing was hit: had the next run been a hit.
  double tts_bound() const { return limit * std::log(0.01) / std::log(1 - 1 / (runs + 1.0)); }
  std::string cells() const {
    char text[120];
    std::snprintf(text, sizeof text, " %.0f (%zu/%d) | %.4f | %s%.4f |", best, hits.size(), runs, mean(), hits.empty() ? ">" : "",
                  hits.empty() ? tts_bound() : tts());
    return text;
  }
};

SolverResult solver(const BenchGraph& g, xc_device device, double seconds, int seeds, uint64_t first_seed = 1) {
  SolverResult out;
  out.limit = seconds;
  std::vector<int8_t> spins(g.n);
  for (int k = 0; k < seeds; ++k) {
    xc_ising_solve_options o{};
    o.seed = first_seed + static_cast<uint64_t>(k);
    o.time_limit_s = seconds;
    o.target = std::isnan(g.target) ? -INFINITY : g.total - 2 * g.target;
    const double start = now();
    const auto r = solve({g.edges.data(), g.couplings.data(), nullptr, static_cast<int64_t>(g.couplings.size()), g.n, 0}, o,
                         device, spins.data(), Control());
    out.best = std::max(out.best, (g.total - r.energy) / 2);
    ++out.runs;
    if (r.target_reached) out.hits.push_back(now() - start);
  }
  return out;
}

// name=value among the arguments, which it leaves.
double setting(std::vector<std::string>& arguments, const std::string& name, double otherwise) {
  for (auto it = arguments.begin(); it != arguments.end(); ++it) {
    if (it->rfind(name + "=", 0) != 0) continue;
    otherwise = std::atof(it->c_str() + name.size() + 1);
    arguments.erase(it);
    break;
  }
  return otherwise;
}

}  // namespace

int bench_gset(int count, char** arguments) {
  if (count < 1) {
    std::printf("usage: xcore_thermo_bench gset FOLDER [plain=3] [cpu=6] [seeds=12] [gpu=2] [gpu_seeds=50] [GRAPH ...]\n");
    return 1;
  }
  const std::string folder = arguments[0];
  std::vector<std::string> names(arguments + 1, arguments + count);
  const double plain_seconds = setting(names, "plain", 3), cpu_seconds = setting(names, "cpu", 6);
  const double gpu_seconds = setting(names, "gpu", 2);
  const int cpu_seeds = static_cast<int>(setting(names, "seeds", 12));
  const int gpu_seeds = static_cast<int>(setting(names, "gpu_seeds", 50));
  std::map<std::string, double> best_known;
  std::ifstream table(folder + "/best_known.csv");
  std::string line;
  const bool all = names.empty();
  for (std::getline(table, line); std::getline(table, line);) {
    std::stringstream cells(line);
    std::vector<std::string> cell;
    for (std::string c; std::getline(cells, c, ',');) cell.push_back(c);
    if (cell.size() < 6) continue;
    best_known[cell[0]] = std::atof(cell[5].c_str());
    if (all) names.push_back(cell[0]);
  }
  const bool gpu = cuda_device_count() > 0 && gpu_seeds > 0;
  const xc_device best_device = gpu ? cuda_device(0) : kCpu;
  if (gpu) {  // the driver's start-up belongs to no graph
    BenchGraph first;
    if (bench_graph(folder, "torus:40:40:1", first)) solver(first, best_device, 0.5, 2);
  }
  std::printf("| graph | n | cut to reach | plain 1000 (hits) | TTS99 s | plain 5000 (hits) | TTS99 s | CPU (hits) | mean s | "
              "TTS99 s |%s\n",
              gpu ? " GPU (hits) | mean s | TTS99 s | CPU / GPU |" : "");
  for (const std::string& name : names) {
    BenchGraph g;
    if (!bench_graph(folder, name, g)) {
      std::printf("%s cannot be read\n", name.c_str());
      continue;
    }
    if (std::isnan(g.target) && best_known.count(g.name)) g.target = best_known[g.name];
    // What nobody knows is set by runs of other seeds.
    const bool ours = std::isnan(g.target);
    if (ours) g.target = solver(g, best_device, gpu ? 2 * gpu_seconds : cpu_seconds, 2, 1001).best;
    std::printf("| %s | %d | %.0f%s |", g.name.c_str(), g.n, g.target, ours ? " (ours)" : "");
    for (const int sweeps : {1000, 5000}) {
      if (plain_seconds <= 0) {
        std::printf(" | |");
        continue;
      }
      const PlainResult r = plain_annealing(g, sweeps, plain_seconds);
      std::printf(" %.0f (%d/%d) | %.3g |", r.best, r.hits, r.runs, r.tts);
    }
    SolverResult cpu, device;
    if (cpu_seeds > 0) {
      cpu = solver(g, kCpu, cpu_seconds, cpu_seeds);
      std::printf("%s", cpu.cells().c_str());
    } else {
      std::printf(" | | |");
    }
    if (gpu) {
      device = solver(g, best_device, gpu_seconds, gpu_seeds);
      std::printf("%s", device.cells().c_str());
      if (cpu_seeds > 0 && !device.hits.empty())
        std::printf(" %s%.1f |", cpu.hits.empty() ? ">" : "", (cpu.hits.empty() ? cpu.tts_bound() : cpu.tts()) / device.tts());
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}
