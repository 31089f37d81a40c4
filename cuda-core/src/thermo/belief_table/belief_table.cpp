#include "thermo/belief_table/belief_table.hpp"

#include <atomic>
#include <cmath>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::thermo {

namespace {

constexpr int64_t kPairsMax = int64_t{1} << 31;
// Below, the CPU has updated the table before a GPU has the statistics.
constexpr int64_t kPaysFrom = 1 << 18;
constexpr int64_t kGrain = 1 << 16;

const char* const kBetaNames[] = {"successes", "failures"};
const char* const kNormalNames[] = {"count", "mean", "squared deviations"};
const char* const kBetaParameters[] = {"alpha", "beta"};
const char* const kNormalParameters[] = {"mean", "kappa", "alpha", "beta"};

// Everything but a normal mean must be `least` or more.
template <class T>
bool usable(T value, bool is_mean, double least) {
  return std::isfinite(value) && (is_mean || value >= least);
}

// The first pair with an unusable value in a column, or -1. Columns are read by all threads; the check costs a pass.
template <class T>
int64_t first_unusable(const T* column, int64_t pairs, bool is_mean, double least) {
  std::atomic<int64_t> first{INT64_MAX};
  thread_pool().parallel_for(pairs, kGrain, [&](int64_t begin, int64_t end) {
    bool fine = true;
    for (int64_t i = begin; i < end; ++i) fine &= usable(column[i], is_mean, least);
    if (fine) return;
    int64_t at = begin;
    while (usable(column[at], is_mean, least)) ++at;
    int64_t seen = first.load();
    while (at < seen && !first.compare_exchange_weak(seen, at)) {
    }
  });
  return first.load() == INT64_MAX ? -1 : first.load();
}

void check_prior(const BeliefPrior& prior) {
  if (prior.kind != XC_BELIEFS_BETA && prior.kind != XC_BELIEFS_NORMAL)
    throw invalid_argument("kind", "there is no kind %d of belief; there are Beta (1) and normal (2)", prior.kind);
  const bool beta = prior.kind == XC_BELIEFS_BETA;
  for (int c = 0; c < prior.parameters(); ++c) {
    const char* const name = (beta ? kBetaParameters : kNormalParameters)[c];
    const bool is_mean = !beta && c == 0;
    const double least = XC_THERMO_BETA_MIN, value = prior.values[c];
    if (!usable(value, is_mean, least) || std::fabs(value) > XC_THERMO_BETA_MAX)
      throw invalid_argument("prior", "the prior's %s is %g; it must be finite%s and at most %g", name, value,
                             is_mean ? "" : " and 1e-9 or more", XC_THERMO_BETA_MAX);
  }
}

std::unique_ptr<BeliefStorage> place(const BeliefPrior& prior, int64_t pairs, xc_device device) {
  return run_on(
      device, pairs >= kPaysFrom, "thermo.beliefs",
      [&](auto index) -> std::unique_ptr<BeliefStorage> {
#if XCORE_CUDA
        return belief_storage_cuda(prior, pairs, index);
#else
        (void)index;
        throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
#endif
      },
      [&] { return belief_storage_cpu(prior, pairs); });
}

}  // namespace

bool statistics_usable(const BeliefPrior& prior, const float* statistics, int64_t pairs, int64_t begin, int64_t end) {
  bool fine = true;
  for (int c = 0; c < prior.statistics(); ++c) {
    const float* const column = statistics + c * pairs;
    const bool is_mean = prior.kind == XC_BELIEFS_NORMAL && c == 1;
    for (int64_t i = begin; i < end; ++i) fine &= usable(column[i], is_mean, 0);
  }
  return fine;
}

void check_statistics(const BeliefPrior& prior, const float* statistics, int64_t pairs) {
  const bool beta = prior.kind == XC_BELIEFS_BETA;
  for (int c = 0; c < prior.statistics(); ++c) {
    const float* const column = statistics + c * pairs;
    const bool is_mean = !beta && c == 1;
    const int64_t bad = first_unusable(column, pairs, is_mean, 0);
    if (bad >= 0)
      throw invalid_argument((beta ? kBetaNames : kNormalNames)[c], "pair %lld has %g %s; it must be finite%s",
                             static_cast<long long>(bad), static_cast<double>(column[bad]),
                             (beta ? kBetaNames : kNormalNames)[c], is_mean ? "" : " and 0 or more");
  }
}

BeliefTable::BeliefTable(const BeliefPrior& prior, int64_t pairs, xc_device device) : prior_(prior), pairs_(pairs) {
  check_prior(prior);
  if (pairs < 1 || pairs > kPairsMax)
    throw invalid_argument("pairs", "a table has 1 to %lld pairs, not %lld", static_cast<long long>(kPairsMax),
                           static_cast<long long>(pairs));
  storage_ = place(prior, pairs, device);
}

void BeliefTable::update(const float* statistics, double forgetting, const Control& control) {
  if (!statistics) throw invalid_argument("statistics", "an array is missing");
  if (!(forgetting > 0 && forgetting <= 1))
    throw invalid_argument("forgetting", "forgetting is %g; it must be above 0 and at most 1", forgetting);
  control.throw_if_cancelled();
  const std::lock_guard<std::mutex> lock(mutex_);
  storage_->update(statistics, forgetting, control);
  control.progress(static_cast<double>(pairs_), static_cast<double>(pairs_));
}

void BeliefTable::read(double* parameters) const {
  if (!parameters) throw invalid_argument("parameters", "an array is missing");
  const std::lock_guard<std::mutex> lock(mutex_);
  storage_->read(parameters);
}

void BeliefTable::write(const double* parameters) {
  if (!parameters) throw invalid_argument("parameters", "an array is missing");
  const bool beta = prior_.kind == XC_BELIEFS_BETA;
  for (int c = 0; c < prior_.parameters(); ++c) {
    const int64_t bad = first_unusable(parameters + c * pairs_, pairs_, !beta && c == 0, XC_THERMO_BETA_MIN);
    if (bad >= 0)
      throw invalid_argument("parameters", "pair %lld has the %s %g; it must be finite and positive",
                             static_cast<long long>(bad), (beta ? kBetaParameters : kNormalParameters)[c],
                             parameters[c * pairs_ + bad]);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  storage_->write(parameters);
}

void BeliefTable::summary(double level, const BeliefSummary& out, const Control& control) const {
  if (!(level > 0 && level < 1))
    throw invalid_argument("level", "the level is %g; it must lie between 0 and 1, both excluded", level);
  if (!out.mean || !out.variance || !out.lower || !out.upper) throw invalid_argument("mean", "an array is missing");
  const std::lock_guard<std::mutex> lock(mutex_);
  storage_->summary(level, out, control);
  control.progress(static_cast<double>(pairs_), static_cast<double>(pairs_));
}

void BeliefTable::sample(uint64_t seed, uint64_t first_stream, double* draws, const Control& control) const {
  if (!draws) throw invalid_argument("draws", "an array is missing");
  const std::lock_guard<std::mutex> lock(mutex_);
  storage_->sample(seed, first_stream, draws, control);
  control.progress(static_cast<double>(pairs_), static_cast<double>(pairs_));
}

}  // namespace xcore::thermo
