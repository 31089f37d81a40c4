#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/beta_posterior/beta_posterior.hpp"

namespace xcore::thermo {

namespace {

// Batches below these finish on the CPU before a GPU has the data. An update is bound by the transfer and pays late.
constexpr int64_t kUpdatePaysFrom = 1 << 22, kSummaryPaysFrom = 1 << 12, kSamplePaysFrom = 1 << 17;

void check_count(int64_t count) {
  if (count < 0 || count > INT64_MAX / 64)
    throw invalid_argument("count", "a batch of %lld pairs is impossible", static_cast<long long>(count));
}

void check_parameters(const double* alpha, const double* beta, int64_t count) {
  check_count(count);
  if (count > 0 && (!alpha || !beta)) throw invalid_argument("alpha", "an array is missing");
  const auto usable = [](double v) { return v >= XC_THERMO_BETA_MIN && v <= XC_THERMO_BETA_MAX; };
  for (int64_t i = 0; i < count; ++i) {
    if (!usable(alpha[i]) || !usable(beta[i]))
      throw invalid_argument(usable(alpha[i]) ? "beta" : "alpha",
                             "pair %lld is Beta(%g, %g); both parameters must lie between %g and %g",
                             static_cast<long long>(i), alpha[i], beta[i], XC_THERMO_BETA_MIN, XC_THERMO_BETA_MAX);
  }
}

void check_update(const BetaUpdate& u) {
  check_count(u.count);
  if (u.count > 0 && (!u.alpha || !u.beta || !u.successes || !u.failures || !u.alpha_out || !u.beta_out))
    throw invalid_argument("alpha", "an array is missing");
  if (!(u.forgetting > 0 && u.forgetting <= 1))
    throw invalid_argument("forgetting", "forgetting is %g; it must be above 0 and at most 1", u.forgetting);
  if (!(u.prior_alpha >= 0 && u.prior_beta >= 0 && std::isfinite(u.prior_alpha + u.prior_beta)))
    throw invalid_argument("prior", "the prior is Beta(%g, %g); both must be finite and 0 or more", u.prior_alpha,
                           u.prior_beta);
  for (int64_t i = 0; i < u.count; ++i) {
    if (!(u.alpha[i] >= u.prior_alpha && u.beta[i] >= u.prior_beta && std::isfinite(u.alpha[i] + u.beta[i])))
      throw invalid_argument("alpha", "pair %lld is Beta(%g, %g); it must be finite and not below the prior Beta(%g, %g)",
                             static_cast<long long>(i), u.alpha[i], u.beta[i], u.prior_alpha, u.prior_beta);
    if (!(u.successes[i] >= 0 && u.failures[i] >= 0 && std::isfinite(u.successes[i] + u.failures[i])))
      throw invalid_argument("successes", "the outcomes of pair %lld are %g successes and %g failures; both must be 0 or more",
                             static_cast<long long>(i), u.successes[i], u.failures[i]);
  }
}

template <class F>
void over_pairs(int64_t count, int64_t grain, const Control& control, F&& body) {
  auto range = [&](int64_t begin, int64_t end) {
    control.throw_if_cancelled();
    for (int64_t i = begin; i < end; ++i) body(i);
  };
  if (count <= grain) {
    range(0, count);  // one choice's few pairs must not pay for waking threads
  } else {
    thread_pool().parallel_for(count, grain, range);
  }
}

template <class Cuda, class Cpu>
void dispatch(int64_t count, int64_t pays_from, xc_device device, const char* op, const Control& control, Cuda&& cuda,
              Cpu&& cpu) {
  run_on(
      device, count >= pays_from, op,
      [&](int index) {
#if XCORE_CUDA
        cuda(index);
#else
        (void)index;
        throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
#endif
      },
      cpu);
  control.progress(static_cast<double>(count), static_cast<double>(count));
}

}  // namespace

void beta_update_cpu(const BetaUpdate& u, const Control& control) {
  trace::OpTimer timer("thermo.beta_update", kCpu, static_cast<uint64_t>(u.count) * 48);
  over_pairs(u.count, 1 << 14, control, [&](int64_t i) {
    u.alpha_out[i] = u.prior_alpha + u.forgetting * (u.alpha[i] - u.prior_alpha) + u.successes[i];
    u.beta_out[i] = u.prior_beta + u.forgetting * (u.beta[i] - u.prior_beta) + u.failures[i];
  });
}

void beta_summary_cpu(const BetaSummary& s, const Control& control) {
  trace::OpTimer timer("thermo.beta_summary", kCpu, static_cast<uint64_t>(s.count) * 48);
  // Up to some milliseconds a pair at the largest parameters: small chunks keep cancellation prompt.
  over_pairs(s.count, 8, control, [&](int64_t i) {
    const BetaReading r = beta_reading(s.alpha[i], s.beta[i], s.level);
    s.mean[i] = r.mean;
    s.variance[i] = r.variance;
    s.lower[i] = r.lower;
    s.upper[i] = r.upper;
  });
}

void beta_sample_cpu(const BetaSample& s, const Control& control) {
  trace::OpTimer timer("thermo.beta_sample", kCpu, static_cast<uint64_t>(s.count) * 24);
  over_pairs(s.count, 256, control,
             [&](int64_t i) { s.draws[i] = beta_draw(s.alpha[i], s.beta[i], s.seed, s.first_stream + i); });
}

// The lambdas for CUDA are generic so that a build without it never names their symbols.
void beta_update(const BetaUpdate& u, xc_device device, const Control& control) {
  check_update(u);
  dispatch(
      u.count, kUpdatePaysFrom, device, "thermo.beta_update", control,
      [&](auto index) { beta_update_cuda(u, index, control); }, [&] { beta_update_cpu(u, control); });
}

void beta_summary(const BetaSummary& s, xc_device device, const Control& control) {
  check_parameters(s.alpha, s.beta, s.count);
  if (!(s.level > 0 && s.level < 1))
    throw invalid_argument("level", "the level is %g; it must lie between 0 and 1, both excluded", s.level);
  if (s.count > 0 && (!s.mean || !s.variance || !s.lower || !s.upper)) throw invalid_argument("mean", "an array is missing");
  dispatch(
      s.count, kSummaryPaysFrom, device, "thermo.beta_summary", control,
      [&](auto index) { beta_summary_cuda(s, index, control); }, [&] { beta_summary_cpu(s, control); });
}

void beta_sample(const BetaSample& s, xc_device device, const Control& control) {
  check_parameters(s.alpha, s.beta, s.count);
  if (s.count > 0 && !s.draws) throw invalid_argument("draws", "an array is missing");
  dispatch(
      s.count, kSamplePaysFrom, device, "thermo.beta_sample", control,
      [&](auto index) { beta_sample_cuda(s, index, control); }, [&] { beta_sample_cpu(s, control); });
}

}  // namespace xcore::thermo
