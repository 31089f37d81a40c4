#include "thermo/ising/replica_exchange/replica_exchange.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "runtime/device.hpp"
#include "thermo/ising/single_spin/replicas.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kTraceRounds = 16;
constexpr int kBatches = 16;  // in time, for standard errors
constexpr uint64_t kSwapStreams = uint64_t{1} << 41;

void validate(const xc_ising_temper_options& o) {
  if (o.slots < 2 || o.slots > 4096) throw invalid_argument("betas", "a ladder of %d temperatures; 2 to 4096 are possible", o.slots);
  if (o.chains < 1 || o.chains > 65536) throw invalid_argument("chains", "chains is %d; it must be 1 to 65536", o.chains);
  if (static_cast<int64_t>(o.slots) * o.chains > 1 << 22)
    throw invalid_argument("chains", "%lld replicas are more than 2^22", static_cast<long long>(o.slots) * o.chains);
  if (!o.betas) throw invalid_argument("betas", "an array is missing");
  for (int k = 0; k < o.slots; ++k)
    if (!(o.betas[k] >= 0 && std::isfinite(o.betas[k]) && (k == 0 || o.betas[k] > o.betas[k - 1])))
      throw invalid_argument("betas", "beta %d is %g; betas must be finite, from 0, and ascend", k, o.betas[k]);
  if (o.burn_in < 0) throw invalid_argument("burnIn", "burnIn is %lld; it must not be negative", static_cast<long long>(o.burn_in));
  if (o.rounds < 1) throw invalid_argument("rounds", "rounds is %lld; at least 1 is needed", static_cast<long long>(o.rounds));
  if (o.sweeps_per_round < 1)
    throw invalid_argument("sweepsPerRound", "sweepsPerRound is %d; at least 1 is needed", o.sweeps_per_round);
  if (o.rule != XC_ISING_METROPOLIS && o.rule != XC_ISING_HEAT_BATH)
    throw invalid_argument("rule", "rule %d does not exist", o.rule);
  if (o.ladder < XC_ISING_LADDER_FIXED || o.ladder > XC_ISING_LADDER_FEEDBACK)
    throw invalid_argument("ladder", "ladder %d does not exist", o.ladder);
  if (o.adaptations < 0 || o.adaptations > 64)
    throw invalid_argument("adaptations", "adaptations is %d; it must be 0 to 64", o.adaptations);
}

class Tempering {
 public:
  Tempering(const Model& model, const xc_ising_temper_options& o, xc_device device, const Control& control)
      : model_(model), o_(o), control_(control), betas_(o.betas, o.betas + o.slots),
        replicas_(make_replicas(model, static_cast<int64_t>(o.slots) * o.chains, {o.rule, o.seed, 0}, device, control)),
        slot_(replicas_->count()), at_(replicas_->count()), direction_(replicas_->count(), 0), trip_(replicas_->count(), 0),
        best_energy_(INFINITY), best_(model.n) {
    for (int c = 0; c < o.chains; ++c) {
      swap_random_.emplace_back(o.seed, kSwapStreams + static_cast<uint64_t>(c));
      for (int k = 0; k < o.slots; ++k) slot_[c * o.slots + k] = k, at_[c * o.slots + k] = c * o.slots + k;
    }
    double sum = 0;
    for (const double w : model.couplings) sum += std::fabs(w);
    const double mean_coupling = model.couplings.empty() ? 0 : sum / static_cast<double>(model.couplings.size());
    cluster_beta_ = mean_coupling > 0 ? 1 / mean_coupling : INFINITY;
    replicas_->randomize();
    replicas_->set_betas(betas_);
    const int adaptations = o.ladder == XC_ISING_LADDER_FIXED ? 0 : std::min(o.adaptations, 20);
    total_ = first_adaptation() * ((int64_t{1} << adaptations) - 1) + o.burn_in + o.rounds;
    clear_statistics();
  }

  void adapt() {
    int64_t length = first_adaptation();
    for (int a = 0; a < o_.adaptations && o_.ladder != XC_ISING_LADDER_FIXED; ++a, length *= 2) {
      for (int64_t k = 0; k < length; ++k) round(nullptr, 0);
      if (o_.ladder == XC_ISING_LADDER_EQUAL_REJECTION) {
        betas_ = equal_rejection_ladder(betas_, rejections());
      } else {
        betas_ = feedback_ladder(betas_, upward_fractions());
      }
      replicas_->set_betas(betas_);
      clear_statistics();
    }
  }

  void measure(const TemperOutputs& out) {
    for (int64_t k = 0; k < o_.burn_in; ++k) round(nullptr, 0);
    clear_statistics();
    replicas_->take_flips(flips_.data());
    trace_.resize(static_cast<size_t>(replicas_->count()) * o_.rounds);
    for (int64_t k = 0; k < o_.rounds; ++k) round(&out, k);
    control_.progress(static_cast<double>(total_), static_cast<double>(total_));
    replicas_->take_flips(flips_.data());
    if (out.energies) std::copy(trace_.begin(), trace_.end(), out.energies);
    if (out.round_trips) std::copy(round_trips_.begin(), round_trips_.end(), out.round_trips);
    if (out.spins) replicas_->read(at_.data(), replicas_->count(), out.spins);
    if (out.best) std::copy(best_.begin(), best_.end(), out.best);
    write_readings(out.readings);
  }

  double barrier() const {
    double sum = 0;
    for (const double r : rejections()) sum += r;
    return sum;
  }
  int64_t round_trips() const {
    int64_t sum = 0;
    for (const int64_t t : round_trips_) sum += t;
    return sum;
  }
  double best_energy() const { return best_energy_; }
  int64_t sweeps() const { return sweeps_; }

 private:
  int64_t first_adaptation() const { return std::max<int64_t>(o_.burn_in, 8); }

  void clear_statistics() {
    rejected_.assign(o_.slots - 1, 0.0);
    tried_.assign(o_.slots - 1, 0);
    upward_.assign(o_.slots, 0);
    downward_.assign(o_.slots, 0);
    round_trips_.assign(o_.chains, 0);
    flips_.assign(o_.slots, 0);
  }

  void round(const TemperOutputs* out, int64_t index) {
    control_.throw_if_cancelled();
    replicas_->sweep(slot_.data(), o_.sweeps_per_round);
    sweeps_ += o_.sweeps_per_round;
    if (o_.cluster_moves) cluster_moves();
    const double* const energy = replicas_->energies();
    keep_best(energy);
    if (out) {
      trace(energy, index);
      if (out->magnetizations) magnetizations(out->magnetizations + index);
    }
    swap(energy);
    if ((done_ & 15) == 0) control_.progress(static_cast<double>(std::min(done_, total_)), static_cast<double>(total_));
  }

  // Rows of a slot are written some rounds at a time: one by one every energy would cost a line of the cache.
  void trace(const double* energy, int64_t index) {
    const int64_t count = replicas_->count();
    recent_.resize(static_cast<size_t>(count) * kTraceRounds);
    double* const row = recent_.data() + index % kTraceRounds * count;
    for (int64_t p = 0; p < count; ++p) row[p] = energy[at_[p]];
    const int64_t held = index % kTraceRounds + 1;
    if (held < kTraceRounds && index + 1 < o_.rounds) return;
    for (int64_t p = 0; p < count; ++p)
      for (int64_t t = 0; t < held; ++t) trace_[p * o_.rounds + index + 1 - held + t] = recent_[t * count + p];
  }

  void magnetizations(double* out) {
    std::vector<int32_t> coldest(o_.chains), sums(o_.chains);
    for (int c = 0; c < o_.chains; ++c) coldest[c] = at_[static_cast<int64_t>(c + 1) * o_.slots - 1];
    replicas_->sums_of_spins(coldest.data(), o_.chains, sums.data());
    for (int c = 0; c < o_.chains; ++c) out[c * o_.rounds] = std::fabs(static_cast<double>(sums[c])) / model_.n;
  }

  // Deterministic even-odd: the parity alternates from round to round. A draw is taken for every pair.
  void swap(const double* energy) {
    const int parity = static_cast<int>(done_++ & 1);
    for (int c = 0; c < o_.chains; ++c) {
      int32_t* const at = at_.data() + static_cast<int64_t>(c) * o_.slots;
      for (int k = parity; k + 1 < o_.slots; k += 2) {
        const double log_ratio = (betas_[k + 1] - betas_[k]) * (energy[at[k + 1]] - energy[at[k]]);
        const double accept = log_ratio >= 0 ? 1 : std::exp(log_ratio);
        rejected_[k] += 1 - accept;
        ++tried_[k];
        if (swap_random_[c].next_double() < accept) {
          std::swap(at[k], at[k + 1]);
          slot_[at[k]] = k;
          slot_[at[k + 1]] = k + 1;
        }
      }
      // A replica goes upward (to the cold) after the hottest slot, and downward after the coldest.
      const int32_t hot = at[0], cold = at[o_.slots - 1];
      if (direction_[hot] == -1 && trip_[hot]) ++round_trips_[c];
      direction_[hot] = 1;
      trip_[hot] = 1;
      direction_[cold] = -1;
      for (int k = 0; k < o_.slots; ++k) {
        upward_[k] += direction_[at[k]] == 1;
        downward_[k] += direction_[at[k]] == -1;
      }
    }
  }

  void cluster_moves() {
    std::vector<int32_t> pairs;
    for (int k = 0; k < o_.slots; ++k) {
      if (betas_[k] < cluster_beta_) continue;
      // Neighbours in a rotation of the chains that changes from round to round.
      for (int c = 0; c + 1 < o_.chains; c += 2)
        for (const int other : {c, c + 1})
          pairs.push_back(at_[static_cast<int64_t>((other + done_) % o_.chains) * o_.slots + k]);
    }
    replicas_->exchange_clusters(pairs.data(), static_cast<int64_t>(pairs.size()) / 2);
  }

  void keep_best(const double* energy) {
    const int64_t r = std::min_element(energy, energy + replicas_->count()) - energy;
    if (energy[r] >= best_energy_) return;
    const auto best = static_cast<int32_t>(r);
    replicas_->read(&best, 1, best_.data());
    best_energy_ = model_.energy(best_.data());
  }

  std::vector<double> rejections() const {
    std::vector<double> out;
    for (size_t k = 0; k < rejected_.size(); ++k) out.push_back(tried_[k] ? rejected_[k] / static_cast<double>(tried_[k]) : 0);
    return out;
  }
  std::vector<double> upward_fractions() const {
    std::vector<double> out;
    for (int k = 0; k < o_.slots; ++k) {
      const double seen = static_cast<double>(upward_[k] + downward_[k]);
      out.push_back(seen > 0 ? static_cast<double>(upward_[k]) / seen : kNan);
    }
    return out;
  }

  // Samples of one slot in rounds [begin, end) of all chains.
  std::vector<double> samples(int k, int64_t begin, int64_t end) const {
    std::vector<double> out;
    for (int c = 0; c < o_.chains; ++c) {
      const double* const row = trace_.data() + (static_cast<size_t>(c) * o_.slots + k) * o_.rounds;
      out.insert(out.end(), row + begin, row + end);
    }
    return out;
  }

  struct FreeEnergy {
    std::vector<double> bennett, integral;  // of each slot, relative to the first
  };
  FreeEnergy free_energy(int64_t begin, int64_t end) const {
    FreeEnergy out{{0}, {0}};
    std::vector<double> low = samples(0, begin, end);
    for (int k = 0; k + 1 < o_.slots; ++k) {
      std::vector<double> high = samples(k + 1, begin, end);
      out.bennett.push_back(out.bennett.back() +
                            bennett_log_ratio(low.data(), low.size(), betas_[k], high.data(), high.size(), betas_[k + 1]));
      // d log Z / d beta = -<E>, d<E> / d beta = -Var E: the trapezoid with its first Euler-Maclaurin term.
      const double step = betas_[k + 1] - betas_[k];
      const auto a = moments(low), b = moments(high);
      out.integral.push_back(out.integral.back() - step * (a.first + b.first) / 2 - step * step / 12 * (b.second - a.second));
      low.swap(high);
    }
    return out;
  }
  static std::pair<double, double> moments(const std::vector<double>& x) {
    double mean = 0, variance = 0;
    for (const double v : x) mean += v;
    mean /= static_cast<double>(x.size());
    for (const double v : x) variance += (v - mean) * (v - mean);
    return {mean, variance / static_cast<double>(std::max<size_t>(1, x.size() - 1))};
  }

  void write_readings(double* readings) const {
    const auto r = rejections(), up = upward_fractions();
    const FreeEnergy all = free_energy(0, o_.rounds);
    const int batches = static_cast<int>(std::min<int64_t>(kBatches, o_.rounds));
    std::vector<FreeEnergy> parts;
    for (int b = 0; b < batches && batches > 1; ++b)
      parts.push_back(free_energy(o_.rounds * b / batches, o_.rounds * (b + 1) / batches));
    const auto error = [&](auto member, int k) {
      if (parts.empty()) return kNan;
      std::vector<double> values;
      for (const FreeEnergy& p : parts) values.push_back((p.*member)[k]);
      return std::sqrt(moments(values).second / static_cast<double>(values.size()));
    };
    const double first = betas_[0] == 0 ? model_.n * std::log(2.0) : 0;
    for (int k = 0; k < o_.slots; ++k) {
      double* const row = readings + static_cast<int64_t>(k) * XC_ISING_READINGS;
      const auto m = moments(samples(k, 0, o_.rounds));
      row[XC_ISING_BETA] = betas_[k];
      row[XC_ISING_MEAN_ENERGY] = m.first;
      row[XC_ISING_ENERGY_VARIANCE] = m.second;
      row[XC_ISING_SWAP_ACCEPTANCE] = k + 1 < o_.slots ? 1 - r[k] : kNan;
      row[XC_ISING_UPWARD_FRACTION] = up[k];
      row[XC_ISING_FLIP_ACCEPTANCE] =
          static_cast<double>(flips_[k]) / (static_cast<double>(o_.chains) * o_.rounds * o_.sweeps_per_round * model_.n);
      row[XC_ISING_LOG_PARTITION] = first + all.bennett[k];
      row[XC_ISING_LOG_PARTITION_ERROR] = error(&FreeEnergy::bennett, k);
      row[XC_ISING_LOG_PARTITION_TI] = first + all.integral[k];
      row[XC_ISING_LOG_PARTITION_TI_ERROR] = error(&FreeEnergy::integral, k);
    }
  }

  const Model& model_;
  const xc_ising_temper_options& o_;
  const Control& control_;
  std::vector<double> betas_;
  std::unique_ptr<Replicas> replicas_;
  std::vector<int32_t> slot_, at_;  // slot of a replica; replica of (chain, slot)
  std::vector<int8_t> direction_, trip_;
  std::vector<uint64_t> flips_;  // of each slot
  std::vector<Philox> swap_random_;
  std::vector<double> rejected_;
  std::vector<double> trace_, recent_;  // [chains x slots x rounds]; [kTraceRounds x chains x slots]
  std::vector<int64_t> tried_, upward_, downward_, round_trips_;
  double cluster_beta_, best_energy_;
  std::vector<int8_t> best_;
  int64_t done_ = 0, sweeps_ = 0, total_ = 0;
};

}  // namespace

xc_ising_temper_result temper(const xc_ising_model& outside, const xc_ising_temper_options& options, xc_device device,
                              const TemperOutputs& outputs, const Control& control) {
  const auto start = std::chrono::steady_clock::now();
  const Model model = checked_model(outside);
  validate(options);
  if (!outputs.readings) throw invalid_argument("readings", "an array is missing");
  const int64_t replicas = static_cast<int64_t>(options.slots) * options.chains;
  if (options.rounds > (int64_t{1} << 27) / replicas)
    throw invalid_argument("rounds", "%lld rounds of %lld replicas are more than 2^27 energies; run shorter parts",
                           static_cast<long long>(options.rounds), static_cast<long long>(replicas));
  // The rule of run_on, asked for here so that a device that fails later ends the call instead of repeating it.
  const xc_device chosen = resolve_device(device, replicas >= 2048 && replicas * model.n >= 1 << 20, "thermo.ising_temper");
  Tempering run(model, options, chosen, control);
  run.adapt();
  run.measure(outputs);
  xc_ising_temper_result result{};
  result.best_energy = run.best_energy();
  result.barrier = run.barrier();
  result.round_trips = run.round_trips();
  result.spin_updates = run.sweeps() * replicas * model.n;
  result.time_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.device = chosen;
  return result;
}

}  // namespace xcore::thermo::ising
