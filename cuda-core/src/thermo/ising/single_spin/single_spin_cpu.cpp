#include <algorithm>
#include <cmath>

#include "runtime/cpu_features.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/ising/model/integer_model.hpp"
#include "thermo/ising/single_spin/cluster_exchange.hpp"
#include "thermo/ising/single_spin/single_spin.hpp"
#include "thermo/ising/single_spin/sweep_lanes.hpp"

namespace xcore::thermo::ising {

void sweep_lanes_portable(const SweepModel& m, const LaneBlock& b) { sweep_lanes(m, b); }

AcceptanceTables::AcceptanceTables(const Model& model) {
  const IntegerModel integers = to_integers(model, kTableLimit);
  if (!integers.exact) return;
  int64_t most = 1;
  for (int32_t i = 0; i < model.n; ++i) {
    int64_t weight = std::abs(integers.fields[i]);
    for (int64_t k = integers.offsets[i]; k < integers.offsets[i + 1]; ++k) weight += std::abs(integers.couplings[k]);
    most = std::max(most, weight);
  }
  // Local fields must come out as whole numbers: the unit's inverse must be exact, as it is for powers of two, or the
  // couplings whole numbers themselves.
  int exponent;
  const bool power_of_two = std::frexp(integers.unit, &exponent) == 0.5;
  if (most > kTableLimit || !power_of_two) return;
  reach = static_cast<int32_t>(most);
  inverse_unit = 1 / integers.unit;
}

std::vector<int32_t> AcceptanceTables::table(double beta, int32_t rule) const {
  std::vector<int32_t> out;
  if (reach == 0) return out;
  for (int32_t x = -reach; x <= reach; ++x)
    out.push_back(static_cast<int32_t>(std::lround(acceptance(beta, x / inverse_unit, rule) * (1 << kFractionBits))));
  return out;
}

namespace {

class SingleSpinCpu final : public Replicas {
 public:
  SingleSpinCpu(const Model& model, int64_t count, const ReplicaOptions& o, const Control& control)
      : Replicas(count), model_(model), options_(o), control_(control), tables_(model),
        sweep_model_{model.n, o.rule, tables_.reach, tables_.inverse_unit, model.offsets.data(), model.neighbours.data(),
                     model.couplings.data(), model.fields.data(), nullptr, nullptr},
        groups_((count + L - 1) / L), spins_(groups_ * L * model.n, 1), energies_(groups_ * L), flips_(groups_ * L) {
    if (tables_.reach == 0) return;
    const auto in_units = [&](double x) { return static_cast<int16_t>(x * tables_.inverse_unit); };
    whole_couplings_.resize(model.couplings.size());
    whole_fields_.resize(model.fields.size());
    std::transform(model.couplings.begin(), model.couplings.end(), whole_couplings_.begin(), in_units);
    std::transform(model.fields.begin(), model.fields.end(), whole_fields_.begin(), in_units);
    sweep_model_.whole_couplings = whole_couplings_.data();
    sweep_model_.whole_fields = whole_fields_.data();
  }

  void randomize() override {
    // Block 2^62 of each stream is beyond any sweep.
    thread_pool().parallel_for(groups_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g)
        for (int l = 0; l < L; ++l) {
          Philox random(options_.seed, options_.first_stream + static_cast<uint64_t>(g * L + l), uint64_t{1} << 62);
          for (int32_t i = 0; i < model_.n; ++i) spin(g * L + l, i) = random.next_u32() & 1 ? 1 : -1;
        }
    });
    refresh_energies();
  }

  void set_betas(const std::vector<double>& betas) override {
    betas_ = betas;
    flips_of_slot_.assign(betas.size(), 0);
    if (static_cast<int64_t>(betas.size()) * (2 * tables_.reach + 1) > INT32_MAX)
      throw Error(XC_OUT_OF_MEMORY, "the acceptance tables of so many temperatures do not fit", "betas");
    tables_of_betas_.clear();
    for (const double beta : betas) {
      const auto table = tables_.table(beta, options_.rule);
      tables_of_betas_.insert(tables_of_betas_.end(), table.begin(), table.end());
    }
  }

  void sweep(const int32_t* slot, int64_t sweeps) override {
    static const SweepLanes kernel =
#if defined(__x86_64__)
        cpu_features().level >= CpuLevel::avx512 ? sweep_lanes_avx512
        : cpu_features().level >= CpuLevel::avx2 ? sweep_lanes_avx2
                                                 :
#endif
                                                 sweep_lanes_portable;
    thread_pool().parallel_for(groups_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g) {
        double beta[L];
        int32_t middle[L];
        for (int l = 0; l < L; ++l) {
          const int32_t s = g * L + l < count_ ? slot[g * L + l] : slot[0];
          beta[l] = betas_[s];
          middle[l] = s * (2 * tables_.reach + 1) + tables_.reach;
        }
        LaneBlock block{spins_.data() + g * L * model_.n, energies_.data() + g * L, flips_.data() + g * L, beta,
                        tables_of_betas_.data(), middle, options_.seed, options_.first_stream + static_cast<uint64_t>(g * L), 0};
        for (int64_t k = 0; k < sweeps; ++k) {
          if (k % 8 == 0) control_.throw_if_cancelled();
          block.sweep = done_ + static_cast<uint64_t>(k);
          kernel(sweep_model_, block);
        }
      }
    });
    for (int64_t r = 0; r < count_; ++r) flips_of_slot_[slot[r]] += flips_[r];
    std::fill(flips_.begin(), flips_.end(), 0);
    done_ += static_cast<uint64_t>(sweeps);
    // Sums of rounded changes are set right now and then; whole numbers need no help.
    if (tables_.reach == 0 && (unchecked_ += sweeps) >= 64) refresh_energies();
  }

  const double* energies() override { return energies_.data(); }

  void take_flips(uint64_t* of_slot) override {
    std::copy(flips_of_slot_.begin(), flips_of_slot_.end(), of_slot);
    std::fill(flips_of_slot_.begin(), flips_of_slot_.end(), 0);
  }

  void resample(const int32_t* from) override {
    std::vector<int16_t> next(spins_.size());
    thread_pool().parallel_for(groups_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g)
        for (int l = 0; l < L; ++l) {
          const int64_t r = g * L + l;
          const int64_t source = r < count_ ? from[r] : r;
          for (int32_t i = 0; i < model_.n; ++i) next[(g * model_.n + i) * L + l] = spin(source, i);
        }
    });
    spins_.swap(next);
    std::vector<double> energies(energies_);
    for (int64_t r = 0; r < count_; ++r) energies_[r] = energies[from[r]];
  }

  void read(const int32_t* replicas, int64_t count, int8_t* spins) override {
    thread_pool().parallel_for(count, 64, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) copy_of(replicas[r], spins + r * model_.n);
    });
  }

  void sums_of_spins(const int32_t* replicas, int64_t count, int32_t* sums) override {
    thread_pool().parallel_for(count, 64, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        sums[r] = 0;
        for (int32_t i = 0; i < model_.n; ++i) sums[r] += spin(replicas[r], i);
      }
    });
  }

  // No replica stands in two pairs.
  void exchange_clusters(const int32_t* pairs, int64_t count) override {
    thread_pool().parallel_for(count, 8, [&](int64_t begin, int64_t end) {
      ClusterExchange clusters(model_);
      std::vector<int8_t> a(model_.n), b(model_.n);
      for (int64_t k = begin; k < end; ++k) {
        const int32_t first = pairs[2 * k], second = pairs[2 * k + 1];
        copy_of(first, a.data());
        copy_of(second, b.data());
        Philox random(options_.seed, options_.first_stream + (uint64_t{1} << 40) + static_cast<uint64_t>(k), 64 * moves_);
        const double change = clusters.exchange(a.data(), b.data(), random);
        for (const int32_t i : clusters.members()) {
          spin(first, i) = static_cast<int16_t>(-spin(first, i));
          spin(second, i) = static_cast<int16_t>(-spin(second, i));
        }
        energies_[first] += change;
        energies_[second] -= change;
      }
    });
    ++moves_;
  }

 private:
  int16_t& spin(int64_t r, int32_t i) { return spins_[(r / L * model_.n + i) * L + r % L]; }
  void copy_of(int64_t r, int8_t* spins) {
    for (int32_t i = 0; i < model_.n; ++i) spins[i] = static_cast<int8_t>(spin(r, i));
  }

  void refresh_energies() {
    unchecked_ = 0;
    thread_pool().parallel_for(groups_ * L, 1, [&](int64_t begin, int64_t end) {
      std::vector<int8_t> spins(model_.n);
      for (int64_t r = begin; r < end; ++r) {
        copy_of(r, spins.data());
        energies_[r] = model_.energy(spins.data());
      }
    });
  }

  const Model& model_;
  const ReplicaOptions options_;
  const Control& control_;
  const AcceptanceTables tables_;
  SweepModel sweep_model_;
  const int64_t groups_;
  std::vector<int16_t> whole_couplings_, whole_fields_;
  std::vector<int16_t> spins_;  // [groups x n x L]
  std::vector<double> energies_;
  std::vector<uint64_t> flips_, flips_of_slot_;  // of the sweep under way; [betas]
  std::vector<double> betas_;
  std::vector<int32_t> tables_of_betas_;
  uint64_t done_ = 0, moves_ = 0;
  int64_t unchecked_ = 0;
};

}  // namespace

std::unique_ptr<Replicas> make_single_spin_replicas_cpu(const Model& model, int64_t count, const ReplicaOptions& options,
                                                        const Control& control) {
  return std::make_unique<SingleSpinCpu>(model, count, options, control);
}

std::unique_ptr<Replicas> make_single_spin_replicas(const Model& model, int64_t count, const ReplicaOptions& options,
                                                    xc_device device, const Control& control) {
  return run_on(
      device, replicas_pay(model, count), "thermo.ising_single_spin",
      [&](int index) {
#if XCORE_CUDA
        return make_single_spin_replicas_cuda(model, count, options, index, control);
#else
        (void)index;
        throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
        return std::unique_ptr<Replicas>();
#endif
      },
      [&] { return make_single_spin_replicas_cpu(model, count, options, control); });
}

}  // namespace xcore::thermo::ising
