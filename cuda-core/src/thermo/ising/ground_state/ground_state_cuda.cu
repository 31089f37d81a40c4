// The search of population.hpp on a GPU: every multiprocessor anneals a block of lanes, and populations of 512 lineages
// (of one or several blocks) keep, cross, mate and replace as on the CPU, one thread a lineage.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/device.hpp"
#include "thermo/ising/bitsliced/bitsliced_cuda.hpp"
#include "thermo/ising/crossover/crossover_cuda.hpp"
#include "thermo/ising/ground_state/ground_state.hpp"

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
        group_(std::min(annealer_.lanes(), std::max(kLanes, 32 * annealer_.words()))),
        crossover_(space.model, annealer_.row_words(), group_, search.options.seed, stream_),
        lineages_(cells(), stream_), annealed_(cells() + annealer_.row_words(), stream_),
        best_(crossover_.words_a_set(), stream_), energies_(annealer_.lanes(), stream_),
        to_(annealer_.lanes(), stream_), from_(annealer_.lanes(), stream_), fresh_(annealer_.blocks(), stream_),
        host_energies_(annealer_.lanes()),
        block_fresh_(annealer_.blocks(), 1), random_(search.options.seed, uint64_t{1} << 60),
        era_best_((annealer_.lanes() + group_ - 1) / group_, INFINITY), stagnant_(era_best_.size(), 0) {
    std::vector<DeviceSweep> schedule;
    for (const double from : {plan_.reheat, plan_.hot}) {
      for (int k = 0; k < plan_.sweeps; ++k)
        schedule.push_back(at_temperature(from * std::pow(plan_.cold / from, k / std::max(1.0, plan_.sweeps - 1.0))));
      for (int k = 0; k < kDescent; ++k) schedule.push_back(at_temperature(0));
    }
    // So many sweeps that they take about 5 ms at 1000 updates a nanosecond.
    part_ = static_cast<int>(std::clamp<int64_t>(5'000'000'000 / (int64_t{annealer_.lanes()} * space.model.n), 1, 64));
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
    fresh_.upload(block_fresh_.data(), block_fresh_.size());
    const int length = plan_.sweeps + kDescent;
    for (int first = 0; first < length;) {
      const int last = std::min(length, first + part_);
      const double before = search_.seconds();
      annealer_.sweep(annealed_.data(), schedule_.data(), length, first, last, fresh_.data());
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
    if (std::any_of(block_fresh_.begin(), block_fresh_.end(), [](int32_t f) { return f != 0; })) {
      // Blocks that started anew take over what was annealed.
      crossover_.copy_blocks(lineages_.data(), annealed_.data(), annealer_.words(), fresh_.data());
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
    energies_.download(host_energies_.data(), host_energies_.size());
    stream_.synchronize();
  }

  // Replaces the worst of each population, notes its best, and decides which populations start anew.
  void select() {
    const int lanes = annealer_.lanes();
    const int best = static_cast<int>(std::min_element(host_energies_.begin(), host_energies_.end()) - host_energies_.begin());
    if (host_energies_[best] < search_.best_energy) offer(lineages_.data(), best, !space_.integers.exact);
    if (search_.stop()) return;
    std::vector<int32_t> to, from, order;
    std::fill(block_fresh_.begin(), block_fresh_.end(), 0);
    for (int base = 0, p = 0; base < lanes; base += group_, ++p) {
      const int size = std::min(group_, lanes - base);
      order.resize(size);
      std::iota(order.begin(), order.end(), base);
      const auto worse = [&](int a, int b) {
        return host_energies_[a] != host_energies_[b] ? host_energies_[a] > host_energies_[b] : a < b;
      };
      const int replaced = std::min(plan_.replaced * size / kLanes, size / 2);
      std::nth_element(order.begin(), order.begin() + size / 2, order.end(), worse);
      std::nth_element(order.begin(), order.begin() + replaced, order.begin() + size / 2, worse);
      for (int k = 0; k < replaced; ++k) {
        to.push_back(order[k]);
        from.push_back(order[size / 2 + static_cast<int>(random_.next_below(size - size / 2))]);
      }
      const double least = *std::min_element(host_energies_.begin() + base, host_energies_.begin() + base + size);
      if (least < era_best_[p]) {
        era_best_[p] = least;
        stagnant_[p] = 0;
      } else if (++stagnant_[p] >= plan_.patience) {
        stagnant_[p] = 0;
        era_best_[p] = INFINITY;
        const int lanes_a_block = 32 * annealer_.words();
        for (int b = base / lanes_a_block; b * lanes_a_block < base + size; ++b) block_fresh_[b] = 1;
      }
    }
    snapshot();
    if (to.empty()) return;
    to_.upload(to.data(), to.size());
    from_.upload(from.data(), from.size());
    crossover_.copy_lanes(lineages_.data(), annealed_.data(), energies_.data(), to_.data(), from_.data(),
                          static_cast<int>(to.size()));
    stream_.synchronize();  // the lists end here
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
  const SearchPlan plan_;
  DeviceBitsliced annealer_;
  const int group_;  // lineages a population
  DeviceCrossover crossover_;
  cuda::Buffer<uint32_t> lineages_, annealed_, best_;
  cuda::Buffer<double> energies_;
  cuda::Buffer<int32_t> to_, from_, fresh_;
  cuda::Buffer<DeviceSweep> schedule_;
  std::vector<double> host_energies_;
  std::vector<int32_t> block_fresh_;
  Philox random_;
  std::vector<double> era_best_;
  std::vector<int32_t> stagnant_;
  int part_ = 64;
  int64_t updates_ = 0;
};

}  // namespace

void search_cuda(const SearchSpace& space, Search& search, const int8_t* start, int device) {
  trace::OpTimer timer("thermo.ising_solve", cuda_device(device));
  cuda::DeviceScope scope(device);
  DeviceSearch(space, search, device).run(start);
}

}  // namespace xcore::thermo::ising
