#include <algorithm>
#include <vector>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/belief_table/belief_table.hpp"

namespace xcore::thermo {

namespace {

class CpuStorage final : public BeliefStorage {
 public:
  CpuStorage(const BeliefPrior& prior, int64_t pairs) : prior_(prior), pairs_(pairs), parameters_(prior.parameters() * pairs) {
    for (int c = 0; c < prior.parameters(); ++c)
      std::fill_n(parameters_.begin() + c * pairs, pairs, prior.values[c]);
  }

  xc_device device() const override { return kCpu; }

  void update(const float* statistics, double forgetting, const Control&) override {
    check_statistics(prior_, statistics, pairs_);
    trace::OpTimer timer("thermo.beliefs_update", kCpu, bytes());
    thread_pool().parallel_for(pairs_, 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        belief_update(prior_, forgetting, statistics + i, parameters_.data() + i, pairs_);
    });
  }
  void read(double* parameters) const override { std::copy(parameters_.begin(), parameters_.end(), parameters); }
  void write(const double* parameters) override { std::copy_n(parameters, parameters_.size(), parameters_.begin()); }

  void summary(double level, const BeliefSummary& out, const Control& control) const override {
    trace::OpTimer timer("thermo.beliefs_summary", kCpu, bytes());
    // Quantiles take up to milliseconds at the largest parameters: small chunks keep cancellation prompt.
    thread_pool().parallel_for(pairs_, 8, [&](int64_t begin, int64_t end) {
      control.throw_if_cancelled();
      for (int64_t i = begin; i < end; ++i) {
        const NormalReading r = belief_reading(prior_.kind, parameters_.data() + i, pairs_, level);
        out.mean[i] = r.mean;
        out.variance[i] = r.variance;
        out.lower[i] = r.lower;
        out.upper[i] = r.upper;
      }
    });
  }
  void sample(uint64_t seed, uint64_t first_stream, double* draws, const Control& control) const override {
    trace::OpTimer timer("thermo.beliefs_sample", kCpu, bytes());
    thread_pool().parallel_for(pairs_, 256, [&](int64_t begin, int64_t end) {
      control.throw_if_cancelled();
      for (int64_t i = begin; i < end; ++i)
        draws[i] = belief_draw(prior_.kind, parameters_.data() + i, pairs_, seed, first_stream + static_cast<uint64_t>(i));
    });
  }

 private:
  uint64_t bytes() const { return static_cast<uint64_t>(pairs_) * (prior_.parameters() * 16 + prior_.statistics() * 4); }

  BeliefPrior prior_;
  int64_t pairs_;
  std::vector<double> parameters_;
};

}  // namespace

std::unique_ptr<BeliefStorage> belief_storage_cpu(const BeliefPrior& prior, int64_t pairs) {
  return std::make_unique<CpuStorage>(prior, pairs);
}

}  // namespace xcore::thermo
