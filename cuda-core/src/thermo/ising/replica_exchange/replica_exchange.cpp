#include "thermo/ising/replica_exchange/replica_exchange.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "runtime/device.hpp"
#include "runtime/philox.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/ising/model/integer_model.hpp"
#include "thermo/ising/replica_exchange/free_energy.hpp"
#include "thermo/ising/replicas/replicas.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kTraceRounds = 16;
constexpr int kBatches = 16;         // in time, for standard errors
constexpr int64_t kBlockChains = 16;  // that a thread takes at once
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
        replicas_(make_replicas(model, static_cast<int64_t>(o.slots) * o.chains, {o.rule, o.seed, 0, o.cluster_moves != 0}, device,
                                control)),
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
    blocks_.assign((o_.chains + kBlockChains - 1) / kBlockChains, Block(o_.slots));
    tried_.assign(o_.slots - 1, 0);
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
    if (out && out->magnetizations) magnetizations(out->magnetizations + index);
    const int parity = static_cast<int>(done_++ & 1);
    if (out) recent_.resize(static_cast<size_t>(replicas_->count()) * kTraceRounds);
    for (int k = parity; k + 1 < o_.slots; k += 2) tried_[k] += o_.chains;
    // Chains know nothing of each other; what is summed over them is summed block by block, whoever does the block.
    thread_pool().parallel_for(static_cast<int64_t>(blocks_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const auto first = static_cast<int>(b * kBlockChains);
        const int last = std::min(o_.chains, first + static_cast<int>(kBlockChains));
        if (out) trace(energy, index, first, last);
        for (int c = first; c < last; ++c) swap(energy, c, parity, blocks_[b]);
      }
    });
    if ((done_ & 15) == 0) control_.progress(static_cast<double>(std::min(done_, total_)), static_cast<double>(total_));
  }

  // Rows of a slot are written some rounds at a time: one by one every energy would cost a line of the cache.
  void trace(const double* energy, int64_t index, int first_chain, int last_chain) {
    const int64_t count = replicas_->count(), begin = static_cast<int64_t>(first_chain) * o_.slots,
                  end = static_cast<int64_t>(last_chain) * o_.slots;
    double* const row = recent_.data() + index % kTraceRounds * count;
    for (int64_t p = begin; p < end; ++p) row[p] = energy[at_[p]];
    const int64_t held = index % kTraceRounds + 1;
    if (held < kTraceRounds && index + 1 < o_.rounds) return;
    for (int64_t p = begin; p < end; ++p)
      for (int64_t t = 0; t < held; ++t) trace_[p * o_.rounds + index + 1 - held + t] = recent_[t * count + p];
  }

  void magnetizations(double* out) {
    std::vector<int32_t> coldest(o_.chains), sums(o_.chains);
    for (int c = 0; c < o_.chains; ++c) coldest[c] = at_[static_cast<int64_t>(c + 1) * o_.slots - 1];
    replicas_->sums_of_spins(coldest.data(), o_.chains, sums.data());
    for (int c = 0; c < o_.chains; ++c) out[c * o_.rounds] = std::fabs(static_cast<double>(sums[c])) / model_.n;
  }

  // What some chains have counted since statistics were cleared.
  struct Block {
    std::vector<double> rejected;         // [slots - 1]
    std::vector<int64_t> upward, downward;  // [slots]
    explicit Block(int32_t slots) : rejected(slots - 1, 0.0), upward(slots, 0), downward(slots, 0) {}
  };

  // Deterministic even-odd: the parity alternates from round to round. A draw is taken for every pair.
  void swap(const double* energy, int c, int parity, Block& block) {
    int32_t* const at = at_.data() + static_cast<int64_t>(c) * o_.slots;
    for (int k = parity; k + 1 < o_.slots; k += 2) {
      const double log_ratio = (betas_[k + 1] - betas_[k]) * (energy[at[k + 1]] - energy[at[k]]);
      const double accept = log_ratio >= 0 ? 1 : std::exp(log_ratio);
      block.rejected[k] += 1 - accept;
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
      block.upward[k] += direction_[at[k]] == 1;
      block.downward[k] += direction_[at[k]] == -1;
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
    std::vector<double> out(o_.slots - 1, 0.0);
    for (const Block& b : blocks_)
      for (size_t k = 0; k < out.size(); ++k) out[k] += b.rejected[k];
    for (size_t k = 0; k < out.size(); ++k) out[k] = tried_[k] ? out[k] / static_cast<double>(tried_[k]) : 0;
    return out;
  }
  std::vector<double> upward_fractions() const {
    std::vector<double> out;
    for (int k = 0; k < o_.slots; ++k) {
      int64_t up = 0, seen = 0;
      for (const Block& b : blocks_) up += b.upward[k], seen += b.upward[k] + b.downward[k];
      out.push_back(seen > 0 ? static_cast<double>(up) / static_cast<double>(seen) : kNan);
    }
    return out;
  }

  // Of every slot the samples of each batch of rounds, then those of all rounds.
  std::vector<std::vector<EnergySamples>> samples() const {
    const int batches = static_cast<int>(std::min<int64_t>(kBatches, o_.rounds));
    const double unit = exact_unit(model_, 1 << 15);
    std::vector<std::vector<EnergySamples>> out(o_.slots);
    thread_pool().parallel_for(o_.slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        for (int b = 0; b < batches; ++b) {
          std::vector<double> energies;
          for (int c = 0; c < o_.chains; ++c) {
            const double* const row = trace_.data() + (static_cast<size_t>(c) * o_.slots + k) * o_.rounds;
            energies.insert(energies.end(), row + o_.rounds * b / batches, row + o_.rounds * (b + 1) / batches);
          }
          out[k].emplace_back(energies, unit);
        }
        out[k].push_back(merged(out[k]));
      }
    });
    return out;
  }

  void write_readings(double* readings) const {
    const auto r = rejections(), up = upward_fractions();
    const auto of_slot = samples();
    const int batches = static_cast<int>(of_slot[0].size()) - 1;
    // Steps of ln Z from a slot to the next, of each batch and of all; running sums are the slots' values.
    std::vector<std::vector<FreeEnergyStep>> steps(batches + 1, std::vector<FreeEnergyStep>(o_.slots));
    thread_pool().parallel_for(o_.slots - 1, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k)
        for (int b = 0; b <= batches; ++b)
          steps[b][k + 1] = free_energy_step(of_slot[k][b], betas_[k], of_slot[k + 1][b], betas_[k + 1]);
    });
    for (auto& of_batch : steps)
      for (int k = 1; k < o_.slots; ++k) {
        of_batch[k].bennett += of_batch[k - 1].bennett;
        of_batch[k].integral += of_batch[k - 1].integral;
      }
    const auto error = [&](auto member, int k) {
      if (batches < 2) return kNan;
      double mean = 0, squares = 0;
      for (int b = 0; b < batches; ++b) mean += steps[b][k].*member / batches;
      for (int b = 0; b < batches; ++b) squares += std::pow(steps[b][k].*member - mean, 2);
      return std::sqrt(squares / (batches - 1) / batches);
    };
    const double first = betas_[0] == 0 ? model_.n * std::log(2.0) : 0;
    for (int k = 0; k < o_.slots; ++k) {
      double* const row = readings + static_cast<int64_t>(k) * XC_ISING_READINGS;
      const EnergySamples& all = of_slot[k].back();
      row[XC_ISING_BETA] = betas_[k];
      row[XC_ISING_MEAN_ENERGY] = all.mean();
      row[XC_ISING_ENERGY_VARIANCE] = all.variance();
      row[XC_ISING_SWAP_ACCEPTANCE] = k + 1 < o_.slots ? 1 - r[k] : kNan;
      row[XC_ISING_UPWARD_FRACTION] = up[k];
      row[XC_ISING_FLIP_ACCEPTANCE] =
          static_cast<double>(flips_[k]) / (static_cast<double>(o_.chains) * o_.rounds * o_.sweeps_per_round * model_.n);
      row[XC_ISING_LOG_PARTITION] = first + steps.back()[k].bennett;
      row[XC_ISING_LOG_PARTITION_ERROR] = error(&FreeEnergyStep::bennett, k);
      row[XC_ISING_LOG_PARTITION_TI] = first + steps.back()[k].integral;
      row[XC_ISING_LOG_PARTITION_TI_ERROR] = error(&FreeEnergyStep::integral, k);
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
  std::vector<Block> blocks_;
  std::vector<double> trace_, recent_;  // [chains x slots x rounds]; [kTraceRounds x chains x slots]
  std::vector<int64_t> tried_, round_trips_;
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
  const xc_device chosen = resolve_device(device, replicas_pay(model, replicas), "thermo.ising_temper");
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
