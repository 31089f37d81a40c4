#include "thermo/ising/ground_state/ground_state.hpp"

#include <cmath>
#include <thread>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/ising/dense/dense_anneal.hpp"
#include "thermo/ising/reduction/reduction.hpp"

namespace xcore::thermo::ising {

namespace {

// -(sum |J| + sum |h|): reached when no bond is unsatisfied.
double unfrustrated_energy(const Model& m) {
  double bonds = 0, fields = 0;
  for (const double w : m.couplings) bonds += std::fabs(w);
  for (const double h : m.fields) fields += std::fabs(h);
  return -bonds / 2 - fields;
}

void validate(const xc_ising_solve_options& o, int32_t n) {
  if (!(o.time_limit_s > 0))
    throw invalid_argument("timeLimitMs", "the time limit is %g s; it must be more than 0", o.time_limit_s);
  if (std::isnan(o.target)) throw invalid_argument("target", "the target is not a number");
  if (o.rounds < 0) throw invalid_argument("rounds", "rounds is %lld; it must not be negative", static_cast<long long>(o.rounds));
  if (std::isinf(o.time_limit_s) && o.rounds == 0 && o.target == -INFINITY)
    throw invalid_argument("timeLimitMs", "the search needs an end: a time limit, a target or a number of rounds");
  if (o.threads < 0 || o.threads > 256)
    throw invalid_argument("threads", "threads is %d; it must be 0 (all) to 256", o.threads);
  if (o.populations < 0 || o.populations > 4096)
    throw invalid_argument("populations", "populations is %d; it must be 0 (default) to 4096", o.populations);
  if (o.start) check_spins(o.start, n, "start");
}

}  // namespace

Search::Search(const xc_ising_solve_options& o, const Model& kernel, double target, const Control& control, Clock::time_point start)
    : options(o), control(control), best(kernel.n, 1), best_energy(INFINITY), start_(start), target_(target),
      lower_bound_(unfrustrated_energy(kernel)) {}

double Search::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

bool Search::stop() const {
  return done_.load(std::memory_order_relaxed) || control.cancelled() || seconds() >= options.time_limit_s;
}

void Search::offer(double energy, const int8_t* spins, int population) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (energy > best_energy || (energy == best_energy && population >= best_population_)) return;
  if (energy < best_energy) best_time = seconds();
  best_energy = energy;
  best_population_ = population;
  std::copy(spins, spins + best.size(), best.begin());
  target_reached = best_energy <= target_;
  if (target_reached || best_energy <= lower_bound_) done_.store(true, std::memory_order_relaxed);
}

void Search::add(int64_t more_rounds, int64_t more_updates) {
  const std::lock_guard<std::mutex> lock(mutex_);
  rounds += more_rounds;
  spin_updates += more_updates;
}

void Search::tell_progress() const {
  if (std::isfinite(options.time_limit_s)) {
    control.progress(std::min(seconds(), options.time_limit_s) * 1e3, options.time_limit_s * 1e3);
  } else if (planned_rounds_ > 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    control.progress(static_cast<double>(rounds), static_cast<double>(planned_rounds_));
  }
}

namespace {

// When a population has to stop.
struct Deadline {
  const Search& search;
  bool operator()() const { return search.stop(); }
  double seconds_left() const { return search.seconds_left(); }
};

}  // namespace

namespace {

// make(p): population p, which seed and p alone determine.
template <class Make>
void search_with(const Make& make, Search& search, const int8_t* start) {
  ThreadPool& pool = thread_pool();
  const int threads = search.options.threads > 0 ? std::min(search.options.threads, pool.threads()) : pool.threads();
  const int populations = search.options.populations > 0 ? search.options.populations
                          : search.options.rounds > 0    ? 2
                                                         : threads;
  // At most `threads` chunks of populations; a population's fate does not depend on the chunk it is in.
  const int chunks = std::min(threads, populations);
  const auto caller = std::this_thread::get_id();
  search.plan(search.options.rounds * populations);
  pool.parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      for (int p = static_cast<int>(chunk); p < populations; p += chunks) {
        if (search.stop()) return;
        auto population = make(static_cast<uint64_t>(p));
        if (p == 0 && start) population.seed_with(start);
        int64_t done = 0;
        while (!search.stop() && (search.options.rounds == 0 || done < search.options.rounds)) {
          population.round(Deadline{search});
          search.offer(population.best_energy(), population.best(), p);
          ++done;
          search.add(1, 0);
          if (std::this_thread::get_id() == caller) search.tell_progress();
        }
        search.add(0, population.spin_updates());
      }
    }
  });
}

}  // namespace

void search_cpu(const SearchSpace& space, Search& search, const int8_t* start) {
  search_with([&](uint64_t p) { return Population(space, search.options.seed, p); }, search, start);
}

void search_dense(const Model& kernel, Search& search, const int8_t* start) {
  const DenseModel dense(kernel);
  search_with([&](uint64_t p) { return DensePopulation(dense, search.options.seed, p); }, search, start);
}

xc_ising_solve_result solve(const xc_ising_model& outside, const xc_ising_solve_options& options, xc_device device,
                            int8_t* spins, const Control& control) {
  const auto begin = Search::Clock::now();
  const Model model = checked_model(outside);
  validate(options, model.n);
  if (!spins) throw invalid_argument("spins", "an array is missing");
  control.throw_if_cancelled();
  const Reduction reduction(model, [&] {
    return control.cancelled() || std::chrono::duration<double>(Search::Clock::now() - begin).count() >= options.time_limit_s;
  });
  control.throw_if_cancelled();
  const Model& kernel = reduction.kernel();

  // Energies of the kernel differ from the model's by a constant, which any state tells.
  std::vector<int8_t> kernel_spins(kernel.n, 1);
  reduction.expand(kernel_spins.data(), spins);
  const double offset = model.energy(spins) - kernel.energy(kernel_spins.data());
  Search search(options, kernel, options.target - offset, control, begin);
  xc_device ran_on = kCpu;
  if (kernel.n == 0) {
    search.offer(0, kernel_spins.data(), 0);
  } else if (satisfy_all_bonds(kernel, kernel_spins.data())) {
    search.offer(kernel.energy(kernel_spins.data()), kernel_spins.data(), 0);
  } else {
    control.throw_if_cancelled();
    const bool dense = dense_pays(kernel);
    std::vector<int8_t> start;
    if (options.start) {
      for (const int32_t i : reduction.kept()) start.push_back(options.start[i]);
    }
    const int8_t* const first = start.empty() ? nullptr : start.data();
    // A GPU anneals a hundred times the lanes; small kernels are solved before it has been set up.
    run_on(
        device, kernel.n >= 200, "thermo.ising_solve",
        [&](int index) {
#if XCORE_CUDA
          if (dense) {
            search_dense_cuda(kernel, search, first, index);
          } else {
            const SearchSpace space(kernel);
            control.throw_if_cancelled();
            search_cuda(space, search, first, index);
          }
          ran_on = cuda_device(index);
#else
          (void)index;
          throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
#endif
        },
        [&] {
          if (dense) return search_dense(kernel, search, first);
          const SearchSpace space(kernel);
          control.throw_if_cancelled();
          search_cpu(space, search, first);
        });
    control.throw_if_cancelled();
    if (search.best_energy == INFINITY) {  // no time for a single annealing: a descent is better than nothing
      Philox random(options.seed, uint64_t{1} << 59);
      for (int8_t& s : kernel_spins) s = random.next_u32() & 1 ? 1 : -1;
      descend(kernel, kernel_spins.data());
      search.offer(kernel.energy(kernel_spins.data()), kernel_spins.data(), 0);
    }
  }
  reduction.expand(search.best.data(), spins);
  double energy = model.energy(spins);
  if (options.start) {  // a warm start is never made worse, not even by a limit of no time
    const double given = model.energy(options.start);
    if (given < energy) {
      std::copy(options.start, options.start + model.n, spins);
      energy = given;
    }
  }
  xc_ising_solve_result result{};
  result.energy = energy;
  result.time_s = search.seconds();
  result.best_time_s = search.best_time;
  result.rounds = search.rounds;
  result.spin_updates = search.spin_updates;
  result.proven = kernel.n == 0 || search.best_energy <= unfrustrated_energy(kernel);
  result.target_reached = energy <= options.target;
  result.kernel_spins = kernel.n;
  result.device = ran_on;
  return result;
}

}  // namespace xcore::thermo::ising
