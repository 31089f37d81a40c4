// A table of posteriors, one a (model, domain) pair, kept where it is updated. A GPU updates a million pairs in a tenth of
// the time that it takes to bring their parameters over, so the parameters stay there and only statistics travel.
//
// Parameters and statistics are columns: value c of pair i is at [c * pairs + i]. See thermo_beliefs.h for their meaning.
// Beta pairs follow beta_posterior.hpp, normal ones normal_math.hpp. With forgetting g below 1 every pair moves towards
// the prior at each update, observed or not.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "runtime/control.hpp"
#include "thermo/belief_table/normal_math.hpp"
#include "thermo/beta_posterior/beta_posterior.hpp"
#include "xcore/thermo_beliefs.h"

namespace xcore::thermo {

struct BeliefPrior {
  int32_t kind;  // XC_BELIEFS_*
  double values[XC_BELIEFS_COLUMNS_MAX];
  int parameters() const { return kind == XC_BELIEFS_BETA ? 2 : 4; }
  int statistics() const { return kind == XC_BELIEFS_BETA ? 2 : 3; }
};

// One pair. `parameters` and `statistics` are strided by `pairs`.
XC_HD void belief_update(const BeliefPrior& prior, double forgetting, const float* statistics, double* parameters,
                         int64_t pairs) {
  if (prior.kind == XC_BELIEFS_BETA) {
    for (int c = 0; c < 2; ++c)
      parameters[c * pairs] =
          prior.values[c] + forgetting * (parameters[c * pairs] - prior.values[c]) + static_cast<double>(statistics[c * pairs]);
    return;
  }
  const NormalBelief before{prior.values[0], prior.values[1], prior.values[2], prior.values[3]};
  const NormalBelief now{parameters[0], parameters[pairs], parameters[2 * pairs], parameters[3 * pairs]};
  const NormalBelief next =
      normal_update(before, now, forgetting, statistics[0], statistics[pairs], statistics[2 * pairs]);
  parameters[0] = next.mean;
  parameters[pairs] = next.kappa;
  parameters[2 * pairs] = next.alpha;
  parameters[3 * pairs] = next.beta;
}

XC_HD NormalReading belief_reading(int32_t kind, const double* p, int64_t pairs, double level) {
  if (kind == XC_BELIEFS_BETA) {
    const BetaReading r = beta_reading(p[0], p[pairs], level);
    return {r.mean, r.variance, r.lower, r.upper};
  }
  return normal_reading({p[0], p[pairs], p[2 * pairs], p[3 * pairs]}, level);
}

XC_HD double belief_draw(int32_t kind, const double* p, int64_t pairs, uint64_t seed, uint64_t stream) {
  return kind == XC_BELIEFS_BETA ? beta_draw(p[0], p[pairs], seed, stream)
                                 : normal_draw({p[0], p[pairs], p[2 * pairs], p[3 * pairs]}, seed, stream);
}

struct BeliefSummary {
  double *mean, *variance, *lower, *upper;  // [pairs]
};

// Whether every value of pairs [begin, end) of the statistics may be learnt: finite, and 0 or more unless a mean.
bool statistics_usable(const BeliefPrior& prior, const float* statistics, int64_t pairs, int64_t begin, int64_t end);
// Throws the Error that names the first pair that may not be learnt; returns when there is none. All threads read.
void check_statistics(const BeliefPrior& prior, const float* statistics, int64_t pairs);

// Where the parameters live. Other arguments were checked; calls come one at a time.
class BeliefStorage {
 public:
  virtual ~BeliefStorage() = default;
  virtual xc_device device() const = 0;
  // Checks all statistics before any parameter changes.
  virtual void update(const float* statistics, double forgetting, const Control& control) = 0;
  virtual void read(double* parameters) const = 0;
  virtual void write(const double* parameters) = 0;
  virtual void summary(double level, const BeliefSummary& out, const Control& control) const = 0;
  virtual void sample(uint64_t seed, uint64_t first_stream, double* draws, const Control& control) const = 0;
};
std::unique_ptr<BeliefStorage> belief_storage_cpu(const BeliefPrior& prior, int64_t pairs);
std::unique_ptr<BeliefStorage> belief_storage_cuda(const BeliefPrior& prior, int64_t pairs, int device);

// Checks arguments, and lets calls from several threads take turns.
class BeliefTable {
 public:
  // Every pair starts at the prior.
  BeliefTable(const BeliefPrior& prior, int64_t pairs, xc_device device);

  int64_t pairs() const { return pairs_; }
  const BeliefPrior& prior() const { return prior_; }
  xc_device device() const { return storage_->device(); }
  // statistics [prior.statistics() x pairs]. Checked as a whole before anything changes; not to be interrupted.
  void update(const float* statistics, double forgetting, const Control& control);
  void read(double* parameters) const;         // [prior.parameters() x pairs]
  void write(const double* parameters);        // likewise
  void summary(double level, const BeliefSummary& out, const Control& control) const;
  void sample(uint64_t seed, uint64_t first_stream, double* draws, const Control& control) const;

 private:
  BeliefPrior prior_;
  int64_t pairs_;
  std::unique_ptr<BeliefStorage> storage_;
  mutable std::mutex mutex_;
};

}  // namespace xcore::thermo
