#include "thermo/ising/bitsliced/bitsliced_replicas.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::thermo::ising {

std::optional<IntegerModel> sliceable(const Model& model) {
  constexpr int64_t kMostWeight = 1 << 15, kMostTotal = int64_t{1} << 30;
  IntegerModel integers = to_integers(model, kMostWeight - 1);
  if (!integers.exact) return std::nullopt;
  int64_t total = 0;
  for (int32_t i = 0; i < model.n; ++i) {
    int64_t weight = std::abs(integers.fields[i]);
    total += weight;
    for (int64_t k = integers.offsets[i]; k < integers.offsets[i + 1]; ++k) weight += std::abs(integers.couplings[k]);
    if (weight >= kMostWeight) return std::nullopt;
    total += weight;
  }
  return total < kMostTotal ? std::optional(std::move(integers)) : std::nullopt;
}

LaneMoves::LaneMoves(const int32_t* from, int64_t count, int64_t words) {
  starts.push_back(0);
  for (int64_t w = 0; w < words; ++w) {
    const size_t first = moves.size();
    for (int l = 0; l < 32; ++l) {
      const int64_t r = 32 * w + l;
      const int32_t lane = r < count ? from[r] : 0, source = lane >> 5, rotation = (l - lane) & 31;
      const auto same = [&](const Move& m) { return m.source == source && m.rotation == rotation; };
      const auto at = std::find_if(moves.begin() + static_cast<std::ptrdiff_t>(first), moves.end(), same);
      if (at != moves.end()) {
        at->mask |= 1u << l;
      } else {
        moves.push_back({source, rotation, 1u << l});
      }
    }
    starts.push_back(static_cast<int32_t>(moves.size()));
  }
}

namespace {

constexpr int kSampleDigits = 30;

class BitslicedReplicas final : public Replicas {
 public:
  BitslicedReplicas(IntegerModel model, int64_t count, const ReplicaOptions& o, const Control& control)
      : Replicas(count), model_(std::move(model)), control_(control), program_(compile_bitsliced(model_)),
        groups_((count + kLanes - 1) / kLanes), rows_(groups_ * stride()), energies_(groups_ * kLanes), sums_(groups_ * kLanes) {
    for (int64_t g = 0; g < groups_; ++g) {
      random_.emplace_back(o.seed, o.first_stream + kSlicedStreams + static_cast<uint64_t>(g));
      std::fill_n(rows(g)[model_.n].word, kLaneWords, ~0u);
    }
  }

  void randomize() override {
    thread_pool().parallel_for(groups_, 1, [&](int64_t begin, int64_t end) {
      std::vector<LaneRow> scratch(program_.scratch_rows);
      for (int64_t g = begin; g < end; ++g) {
        bitsliced_randomize(program_, rows(g), random_[g]);
        refresh(g, scratch.data());
      }
    });
  }

  void set_betas(const std::vector<double>& betas) override {
    hot_.clear();
    planes_.clear();
    for (const double beta : betas) {
      hot_.push_back(beta == 0);
      planes_.push_back(beta == 0 ? AcceptancePlanes{}
                                  : acceptance_planes(beta * program_.unit, program_.largest_weight, kSampleDigits));
    }
    flips_of_slot_.assign(betas.size(), 0);
  }

  void sweep(const int32_t* slot, int64_t sweeps) override {
    if (sweeps < 1) return;
    std::vector<int64_t> flips(groups_ * kLanes);
    thread_pool().parallel_for(groups_, 1, [&](int64_t begin, int64_t end) {
      std::vector<LaneRow> scratch(program_.scratch_rows), before(model_.n);
      std::vector<const AcceptancePlanes*> lanes(kLanes);
      LaneThresholds thresholds;
      for (int64_t g = begin; g < end; ++g) {
        LaneRow hot{};
        bool any_hot = false;
        for (int l = 0; l < kLanes; ++l) {
          const int32_t s = slot[std::min(g * kLanes + l, count_ - 1)];
          lanes[l] = &planes_[s];
          if (!hot_[s]) continue;
          hot.flip(l);
          any_hot = true;
        }
        thresholds.set_lanes(lanes.data(), kSampleDigits);
        for (int64_t k = 0; k < sweeps; ++k) {
          if (k % 8 == 0) control_.throw_if_cancelled();
          if (k == sweeps - 1) std::copy_n(rows(g), model_.n, before.data());
          bitsliced_sweep(program_, rows(g), random_[g], thresholds, scratch.data());
        }
        if (any_hot) bitsliced_randomize(program_, rows(g), random_[g], hot);
        bitsliced_kernels().count(rows(g), before.data(), model_.n, flips.data() + g * kLanes);
        refresh(g, scratch.data());
      }
    });
    for (int64_t r = 0; r < count_; ++r) flips_of_slot_[slot[r]] += static_cast<uint64_t>(flips[r] * sweeps);
  }

  const double* energies() override { return energies_.data(); }

  void take_flips(uint64_t* of_slot) override {
    std::copy(flips_of_slot_.begin(), flips_of_slot_.end(), of_slot);
    std::fill(flips_of_slot_.begin(), flips_of_slot_.end(), 0);
  }

  void resample(const int32_t* from) override {
    const LaneMoves moves(from, count_, groups_ * kLaneWords);
    std::vector<LaneRow> next(rows_.size());
    thread_pool().parallel_for(groups_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g) {
        for (int w = 0; w < kLaneWords; ++w)
          for (int32_t k = moves.starts[g * kLaneWords + w]; k < moves.starts[g * kLaneWords + w + 1]; ++k) {
            const auto& move = moves.moves[k];
            const LaneRow* const source = rows(move.source / kLaneWords);
            const int word = move.source % kLaneWords;
            for (int32_t i = 0; i < model_.n; ++i) {
              const uint32_t bits = source[i].word[word];
              next[g * stride() + i].word[w] |= (bits << move.rotation | bits >> (-move.rotation & 31)) & move.mask;
            }
          }
        next[g * stride() + model_.n] = rows(g)[model_.n];
      }
    });
    rows_.swap(next);
    const std::vector<double> energies(energies_);
    const std::vector<int32_t> sums(sums_);
    for (int64_t r = 0; r < count_; ++r) energies_[r] = energies[from[r]], sums_[r] = sums[from[r]];
  }

  void read(const int32_t* replicas, int64_t count, int8_t* spins) override {
    thread_pool().parallel_for(count, 64, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k)
        for (int32_t i = 0; i < model_.n; ++i)
          spins[k * model_.n + i] = rows(replicas[k] / kLanes)[i].bit(replicas[k] % kLanes) ? 1 : -1;
    });
  }

  void sums_of_spins(const int32_t* replicas, int64_t count, int32_t* sums) override {
    for (int64_t k = 0; k < count; ++k) sums[k] = sums_[replicas[k]];
  }

  void exchange_clusters(const int32_t*, int64_t) override {
    throw Error(XC_UNSUPPORTED, "bit-sliced replicas make no cluster moves", "clusterMoves");
  }

 private:
  int64_t stride() const { return int64_t{model_.n} + 1; }
  LaneRow* rows(int64_t group) { return rows_.data() + group * stride(); }

  void refresh(int64_t g, LaneRow* scratch) {
    int64_t of_lane[kLanes];
    bitsliced_energies(program_, rows(g), scratch, of_lane);
    for (int l = 0; l < kLanes; ++l) energies_[g * kLanes + l] = static_cast<double>(of_lane[l]) * program_.unit;
    bitsliced_kernels().count(rows(g), nullptr, model_.n, of_lane);
    for (int l = 0; l < kLanes; ++l) sums_[g * kLanes + l] = static_cast<int32_t>(2 * of_lane[l] - model_.n);
  }

  const IntegerModel model_;
  const Control& control_;
  const BitslicedProgram program_;
  const int64_t groups_;
  std::vector<LaneRow> rows_;  // [groups x (n + 1)]
  std::vector<LaneRandom> random_;
  std::vector<double> energies_;
  std::vector<int32_t> sums_;  // of spins
  std::vector<AcceptancePlanes> planes_;  // of each beta
  std::vector<bool> hot_;                 // beta = 0
  std::vector<uint64_t> flips_of_slot_;
};

}  // namespace

std::unique_ptr<Replicas> make_bitsliced_replicas(const Model& model, int64_t count, const ReplicaOptions& options,
                                                  xc_device device, const Control& control) {
  std::optional<IntegerModel> integers = sliceable(model);
  if (!integers) return nullptr;
  return run_on(
      device, replicas_pay(model, count), "thermo.ising_bitsliced",
      [&](int index) {
#if XCORE_CUDA
        return make_bitsliced_replicas_cuda(*integers, count, options, index, control);
#else
        (void)index;
        throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
        return std::unique_ptr<Replicas>();
#endif
      },
      [&]() -> std::unique_ptr<Replicas> {
        return std::make_unique<BitslicedReplicas>(*std::move(integers), count, options, control);
      });
}

}  // namespace xcore::thermo::ising
