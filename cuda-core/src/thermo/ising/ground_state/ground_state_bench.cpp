// MaxCut on the Gset beside plain simulated annealing:  xcore_thermo_bench gset FOLDER [SECONDS] [GRAPH ...]
//
// Plain annealing is what the tables compare with: one thread, Metropolis in index order with kept local fields, T falling
// geometrically from 3 to 0.15, as many runs of 1000 and of 5000 sweeps as fit the time. Its TTS99 is
// t ln(0.01) / ln(1 - p) for runs of t seconds that succeed with probability p. The solver is run to the best known cut
// with 12 seeds; its times are its own stopping times, and its TTS99 the 99 % point of an exponential distribution after
// a least time: t_min + ln(100) (t_mean - t_min). Runs that end at the limit make it a lower bound (">").
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
#include "thermo/ising/ground_state/ground_state.hpp"

namespace {

using namespace xcore;
using namespace xcore::thermo::ising;

struct Instance {
  std::string name;
  int32_t n = 0;
  std::vector<int32_t> edges;
  std::vector<double> couplings;  // minus the weights
  double total = 0, best_known = 0;
};

bool read_instance(const std::string& folder, Instance& g) {
  std::ifstream file(folder + "/" + g.name + ".txt");
  int64_t m = 0;
  if (!(file >> g.n >> m)) return false;
  for (int64_t k = 0; k < m; ++k) {
    int32_t a, b;
    double w;
    if (!(file >> a >> b >> w)) return false;
    g.edges.insert(g.edges.end(), {a - 1, b - 1});
    g.couplings.push_back(-w);
    g.total += w;
  }
  return true;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct PlainResult {
  double best = -INFINITY, tts = INFINITY, updates_per_ns = 0;
  int runs = 0, hits = 0;
};

PlainResult plain_annealing(const Instance& g, int sweeps, double seconds) {
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
    out.hits += cut >= g.best_known;
  } while (now() - start < seconds);
  const double spent = now() - start, p = static_cast<double>(out.hits) / out.runs;
  out.updates_per_ns = static_cast<double>(out.runs) * sweeps * m.n / spent * 1e-9;
  if (out.hits > 0) out.tts = spent / out.runs * (p < 1 ? std::max(1.0, std::log(0.01) / std::log(1 - p)) : 1);
  return out;
}

struct SolverResult {
  double best = -INFINITY, mean_time = 0, tts = 0;
  int runs = 0, hits = 0;
};

SolverResult solver(const Instance& g, xc_device device, double seconds, int seeds) {
  SolverResult out;
  double least = INFINITY;
  std::vector<int8_t> spins(g.n);
  for (int seed = 1; seed <= seeds; ++seed) {
    xc_ising_solve_options o{};
    o.seed = static_cast<uint64_t>(seed);
    o.time_limit_s = seconds;
    o.target = g.total - 2 * g.best_known;
    const auto r = solve({g.edges.data(), g.couplings.data(), nullptr, static_cast<int64_t>(g.couplings.size()), g.n, 0}, o,
                         device, spins.data(), Control());
    out.best = std::max(out.best, (g.total - r.energy) / 2);
    ++out.runs;
    out.hits += r.target_reached;
    out.mean_time += r.time_s;
    least = std::min(least, r.time_s);
  }
  out.mean_time /= out.runs;
  out.tts = least + std::log(100.0) * (out.mean_time - least);
  return out;
}

}  // namespace

int bench_gset(int count, char** arguments) {
  if (count < 1) {
    std::printf("usage: xcore_thermo_bench gset FOLDER [SECONDS] [GRAPH ...]\n");
    return 1;
  }
  const std::string folder = arguments[0];
  const double seconds = count > 1 ? std::atof(arguments[1]) : 6;
  std::map<std::string, double> best_known;
  std::vector<std::string> names(arguments + std::min(count, 2), arguments + count);
  std::ifstream table(folder + "/best_known.csv");
  std::string line;
  for (std::getline(table, line); std::getline(table, line);) {
    std::stringstream cells(line);
    std::vector<std::string> cell;
    for (std::string c; std::getline(cells, c, ',');) cell.push_back(c);
    if (cell.size() < 6) continue;
    best_known[cell[0]] = std::atof(cell[5].c_str());
    if (count <= 2) names.push_back(cell[0]);
  }
  const bool gpu = cuda_device_count() > 0, skip_plain = std::getenv("X_NO_PLAIN") != nullptr;
  if (gpu) {  // the driver's start-up belongs to no graph
    Instance first;
    first.name = names.empty() ? "" : names[0];
    if (read_instance(folder, first)) solver(first, cuda_device(0), 0.5, 1);
  }
  std::printf("| graph | n | best known | plain 1000 (hits) | TTS99 s | plain 5000 (hits) | TTS99 s | CPU (hits) | mean s | TTS99 s |%s\n",
              gpu ? " GPU (hits) | mean s | TTS99 s |" : "");
  for (const std::string& name : names) {
    Instance g;
    g.name = name;
    g.best_known = best_known.count(name) ? best_known[name] : 1e18;
    if (!read_instance(folder, g)) {
      std::printf("%s cannot be read\n", name.c_str());
      continue;
    }
    std::printf("| %s | %d | %.0f |", name.c_str(), g.n, g.best_known);
    for (const int sweeps : {1000, 5000}) {
      if (skip_plain) {
        std::printf(" | |");
        continue;
      }
      const PlainResult r = plain_annealing(g, sweeps, seconds);
      std::printf(" %.0f (%d/%d) | %.3g |", r.best, r.hits, r.runs, r.tts);
    }
    const SolverResult cpu = solver(g, kCpu, seconds, 12);
    std::printf(" %.0f (%d/%d) | %.3f | %s%.3f |", cpu.best, cpu.hits, cpu.runs, cpu.mean_time,
                cpu.hits < cpu.runs ? ">" : "", cpu.tts);
    if (gpu) {
      const SolverResult r = solver(g, cuda_device(0), 2, 12);
      std::printf(" %.0f (%d/%d) | %.4f | %s%.4f |", r.best, r.hits, r.runs, r.mean_time, r.hits < r.runs ? ">" : "", r.tts);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}
