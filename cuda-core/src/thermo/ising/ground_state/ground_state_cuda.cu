// The search of population.hpp on a GPU: every multiprocessor anneals a block of lanes, and populations of 512 lineages
// (of one or several blocks) keep, cross, mate and replace as on the CPU, one thread a lineage.
#include <algorithm>
#include <cmath>

#include "runtime/device.hpp"
#include "thermo/ising/bitsliced/bitsliced_cuda.hpp"
#include "thermo/ising/crossover/crossover_cuda.hpp"
#include "thermo/ising/ground_state/ground_state.hpp"
#include "thermo/ising/ground_state/selection_cuda.hpp"

namespace xcore::thermo::ising {

namespace {

int multiprocessors(int device) {
  int count = 0;
  XC_CUDA(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return count;
}

class DeviceSearch {
 public:
  DeviceSearch(const SearchSpace& space, Search& search, int device)
      : space_(space), search_(search), stream_(device), plan_(space.plan),
        annealer_(space.integers, space.program, multiprocessors(device), 0, search.options.seed, stream_),
        group_(std::min(annealer_.lanes(), kLanes)),
        crossover_(space.model, annealer_.row_words(), group_, search.options.seed, stream_),
        lineages_(cells(), stream_), annealed_(cells() + annealer_.row_words(), stream_),
        best_(crossover_.words_a_set(), stream_), energies_(annealer_.lanes(), stream_),
        selection_({annealer_.lanes(), group_, plan_.replaced, plan_.patience, 32 * annealer_.words(), search.options.seed},
                   stream_) {
    // At 500 updates a nanosecond the first annealing should take half of the time at most.
    const double a_sweep = static_cast<double>(annealer_.lanes()) * space.model.n / 500e9;
    plan_.sweeps = static_cast<int32_t>(std::clamp(0.5 * search.seconds_left() / a_sweep, 10.0, static_cast<double>(plan_.sweeps)));
    std::vector<DeviceSweep> schedule;
    for (const double from : {plan_.reheat, plan_.hot}) {
      for (int k = 0; k < plan_.sweeps; ++k)
        schedule.push_back(at_temperature(from * std::pow(plan_.cold / from, k / std::max(1.0, plan_.sweeps - 1.0))));
      for (int k = 0; k < kDescent; ++k) schedule.push_back(at_temperature(0));
    }
    part_ = static_cast<int>(std::clamp(0.005 / a_sweep, 1.0, 64.0));
    schedule_ = cuda::Buffer<DeviceSweep>::from_host(schedule.data(), schedule.size(), stream_);
    stream_.synchronize();
  }

  void run(const int8_t* start) {
    const int64_t limit = search_.options.rounds;
    search_.plan(limit);
    XC_CUDA(cudaMemsetAsync(lineages_.data(), 0, lineages_.size() * 4, stream_.get()));
    int64_t round = 0;
    for (; !search_.stop() && (limit == 0 || round < limit); ++round) {
      if (!anneal() || !keep_the_best(round == 0 ? start : nullptr)) {
        if (round == 0) offer(annealed_.data(), 0, true);  // some state is better than none
        break;
      }
      snapshot();
      mate();
      select();
      snapshot();
      search_.add(1, 0);
      search_.tell_progress();
    }
    search_.add(0, updates_);
  }

 private:
  static constexpr int kDescent = 3;
  // Of the acceptance probabilities: rarer flips than 1 in 2^9 have no time to happen in an annealing of some hundred sweeps.
  static constexpr int kDigits = 8;

  size_t cells() const { return static_cast<size_t>(space_.model.n) * annealer_.row_words(); }
  DeviceSweep at_temperature(double t) const {
    return device_sweep(t > 0 ? space_.program.unit / t : INFINITY, space_.program.largest_weight, kDigits);
  }

  // In parts, so that a stop is noticed in time; false when there was one.
  bool anneal() {
    const int length = plan_.sweeps + kDescent;
    for (int first = 0; first < length;) {
      const int last = std::min(length, first + part_);
      const double before = search_.seconds();
      annealer_.sweep(annealed_.data(), schedule_.data(), length, first, last, selection_.fresh());
      stream_.synchronize();
      const double took = search_.seconds() - before;
      updates_ += static_cast<int64_t>(last - first) * annealer_.lanes() * space_.model.n;
      first = last;
      if (search_.stop()) return false;
      if (took < 0.008) part_ = std::min(2 * part_, 1 << 20);
      if (took > 0.03) part_ = std::max(1, part_ / 2);
    }
    return true;
  }

  // False when there was no time for all.
  bool keep_the_best(const int8_t* start) {
    const auto stop = [this] { return search_.stop(); };
    if (selection_.any_fresh()) {
      // Blocks that started anew take over what was annealed.
      crossover_.copy_blocks(lineages_.data(), annealed_.data(), annealer_.words(), selection_.fresh());
      if (start) put_lane_0(start);
      const bool done = crossover_.improve(lineages_.data(), annealed_.data(), energies_.data(), stop);
      if (done) crossover_.energies(lineages_.data(), energies_.data());
      return done;
    }
    crossover_.improve(lineages_.data(), annealed_.data(), energies_.data(), stop);
    return true;
  }

  void put_lane_0(const int8_t* spins) {
    const int32_t n = space_.model.n;
    std::vector<uint32_t> word(n);
    column(0, word.data());
    for (int32_t i = 0; i < n; ++i) word[i] = (word[i] & ~1u) | (spins[i] > 0);
    XC_CUDA(cudaMemcpy2DAsync(lineages_.data(), annealer_.row_words() * 4, word.data(), 4, 4, n, cudaMemcpyHostToDevice,
                              stream_.get()));
    stream_.synchronize();
  }

  void snapshot() {
    XC_CUDA(cudaMemcpyAsync(annealed_.data(), lineages_.data(), cells() * 4, cudaMemcpyDeviceToDevice, stream_.get()));
  }

  void mate() {
    crossover_.mate(lineages_.data(), annealed_.data(), static_cast<float>(plan_.mating), energies_.data(),
                    [this] { return search_.stop(); });
  }

  // Notes the best of all populations, and has the worst of each replaced.
  void select() {
    selection_.select(energies_.data());
    stream_.synchronize();
    const auto& best = *std::min_element(selection_.begin(), selection_.end(),
                                         [](const auto& a, const auto& b) { return a.energy < b.energy; });
    if (best.energy < search_.best_energy) offer(lineages_.data(), best.lane, !space_.integers.exact);
    if (search_.stop()) return;
    crossover_.copy_lanes(lineages_.data(), energies_.data(), selection_.to(), selection_.from(), selection_.copies());
  }

  // Word w of every row.
  void column(int64_t w, uint32_t* out) {
    XC_CUDA(cudaMemcpy2DAsync(out, 4, lineages_.data() + w, annealer_.row_words() * 4, 4, space_.model.n,
                              cudaMemcpyDeviceToHost, stream_.get()));
    stream_.synchronize();
  }

  void offer(const uint32_t* rows, int lane, bool with_descent) {
    const int32_t n = space_.model.n;
    std::vector<uint32_t> words(crossover_.words_a_set());
    crossover_.extract(rows, lane, best_.data());
    best_.download(words.data(), words.size());
    stream_.synchronize();
    std::vector<int8_t> spins(n);
    for (int32_t i = 0; i < n; ++i) spins[i] = static_cast<int8_t>(2 * (words[i / 32] >> (i % 32) & 1) - 1);
    if (with_descent) descend(space_.model, spins.data());
    search_.offer(space_.model.energy(spins.data()), spins.data(), 0);
  }

  const SearchSpace& space_;
  Search& search_;
  cuda::Stream stream_;
  SearchPlan plan_;
  DeviceBitsliced annealer_;
  const int group_;  // lineages a population
  DeviceCrossover crossover_;
  cuda::Buffer<uint32_t> lineages_, annealed_, best_;
  cuda::Buffer<double> energies_;
  cuda::Buffer<DeviceSweep> schedule_;
  DeviceSelection selection_;
  int part_ = 64;
  int64_t updates_ = 0;
};

}  // namespace

void search_cuda(const SearchSpace& space, Search& search, const int8_t* start, int device) {
  trace::OpTimer timer("thermo.ising_solve", cuda_device(device));
  if (search.stop()) return;  // setting up takes a while for large models
  cuda::DeviceScope scope(device);
  DeviceSearch(space, search, device).run(start);
}

}  // namespace xcore::thermo::ising
