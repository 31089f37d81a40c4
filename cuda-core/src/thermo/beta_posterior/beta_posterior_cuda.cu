#include "runtime/cuda.hpp"
#include "runtime/device.hpp"
#include "thermo/beta_posterior/beta_posterior.hpp"

namespace xcore::thermo {

namespace {

constexpr int kThreads = 128;
// Pairs a launch: bounds device memory and the time between two looks at the cancel flag.
constexpr int64_t kUpdatesALaunch = 1 << 24, kSummariesALaunch = 1 << 18, kSamplesALaunch = 1 << 22;

__device__ int64_t pair_index() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__global__ void update_kernel(const double* __restrict__ alpha, const double* __restrict__ beta,
                              const double* __restrict__ successes, const double* __restrict__ failures, int64_t count,
                              double prior_alpha, double prior_beta, double forgetting, double* __restrict__ alpha_out,
                              double* __restrict__ beta_out) {
  const int64_t i = pair_index();
  if (i >= count) return;
  alpha_out[i] = prior_alpha + forgetting * (alpha[i] - prior_alpha) + successes[i];
  beta_out[i] = prior_beta + forgetting * (beta[i] - prior_beta) + failures[i];
}

__global__ void summary_kernel(const double* __restrict__ alpha, const double* __restrict__ beta, int64_t count,
                               double level, double* __restrict__ mean, double* __restrict__ variance,
                               double* __restrict__ lower, double* __restrict__ upper) {
  const int64_t i = pair_index();
  if (i >= count) return;
  const BetaReading r = beta_reading(alpha[i], beta[i], level);
  mean[i] = r.mean;
  variance[i] = r.variance;
  lower[i] = r.lower;
  upper[i] = r.upper;
}

__global__ void sample_kernel(const double* __restrict__ alpha, const double* __restrict__ beta, int64_t count,
                              uint64_t seed, uint64_t first_stream, double* __restrict__ draws) {
  const int64_t i = pair_index();
  if (i >= count) return;
  draws[i] = beta_draw(alpha[i], beta[i], seed, first_stream + static_cast<uint64_t>(i));
}

// Cuts a batch into launches; `launch(first, count)` uploads, runs and downloads one part.
template <class F>
void in_parts(int64_t count, int64_t part, const cuda::Stream& stream, const Control& control, F&& launch) {
  for (int64_t first = 0; first < count; first += part) {
    control.throw_if_cancelled();
    const int64_t length = std::min(part, count - first);
    launch(first, length);
    stream.synchronize();
    control.progress(static_cast<double>(first + length), static_cast<double>(count));
  }
}

}  // namespace

void beta_update_cuda(const BetaUpdate& u, int device, const Control& control) {
  if (u.count == 0) return;
  trace::OpTimer timer("thermo.beta_update", cuda_device(device), static_cast<uint64_t>(u.count) * 48);
  cuda::DeviceScope scope(device);
  cuda::Stream stream(device);
  const int64_t part = std::min(u.count, kUpdatesALaunch);
  cuda::Buffer<double> alpha(part, stream), beta(part, stream), successes(part, stream), failures(part, stream);
  cuda::Buffer<double> alpha_out(part, stream), beta_out(part, stream);
  in_parts(u.count, part, stream, control, [&](int64_t first, int64_t length) {
    alpha.upload(u.alpha + first, length);
    beta.upload(u.beta + first, length);
    successes.upload(u.successes + first, length);
    failures.upload(u.failures + first, length);
    update_kernel<<<cuda::blocks_for(length, kThreads), kThreads, 0, stream>>>(alpha.data(), beta.data(), successes.data(), failures.data(),
                                                           length, u.prior_alpha, u.prior_beta, u.forgetting,
                                                           alpha_out.data(), beta_out.data());
    XC_CUDA_LAUNCHED("thermo.beta_update");
    alpha_out.download(u.alpha_out + first, length);
    beta_out.download(u.beta_out + first, length);
  });
}

void beta_summary_cuda(const BetaSummary& s, int device, const Control& control) {
  if (s.count == 0) return;
  trace::OpTimer timer("thermo.beta_summary", cuda_device(device), static_cast<uint64_t>(s.count) * 48);
  cuda::DeviceScope scope(device);
  cuda::Stream stream(device);
  const int64_t part = std::min(s.count, kSummariesALaunch);
  cuda::Buffer<double> alpha(part, stream), beta(part, stream), mean(part, stream), variance(part, stream);
  cuda::Buffer<double> lower(part, stream), upper(part, stream);
  in_parts(s.count, part, stream, control, [&](int64_t first, int64_t length) {
    alpha.upload(s.alpha + first, length);
    beta.upload(s.beta + first, length);
    summary_kernel<<<cuda::blocks_for(length, kThreads), kThreads, 0, stream>>>(alpha.data(), beta.data(), length, s.level, mean.data(),
                                                            variance.data(), lower.data(), upper.data());
    XC_CUDA_LAUNCHED("thermo.beta_summary");
    mean.download(s.mean + first, length);
    variance.download(s.variance + first, length);
    lower.download(s.lower + first, length);
    upper.download(s.upper + first, length);
  });
}

void beta_sample_cuda(const BetaSample& s, int device, const Control& control) {
  if (s.count == 0) return;
  trace::OpTimer timer("thermo.beta_sample", cuda_device(device), static_cast<uint64_t>(s.count) * 24);
  cuda::DeviceScope scope(device);
  cuda::Stream stream(device);
  const int64_t part = std::min(s.count, kSamplesALaunch);
  cuda::Buffer<double> alpha(part, stream), beta(part, stream), draws(part, stream);
  in_parts(s.count, part, stream, control, [&](int64_t first, int64_t length) {
    alpha.upload(s.alpha + first, length);
    beta.upload(s.beta + first, length);
    sample_kernel<<<cuda::blocks_for(length, kThreads), kThreads, 0, stream>>>(alpha.data(), beta.data(), length, s.seed,
                                                           s.first_stream + static_cast<uint64_t>(first), draws.data());
    XC_CUDA_LAUNCHED("thermo.beta_sample");
    draws.download(s.draws + first, length);
  });
}

}  // namespace xcore::thermo
