#include "te/estimate/estimate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "te/gaussian/gaussian.hpp"
#include "te/ksg/target_index.hpp"
#include "te/surrogates/permutation.hpp"

namespace xcore::te {
namespace {

constexpr const char* kOp = "te.estimate";
// Below this many pairs (tuples^2 times estimates) the CPU's windows are done before a GPU has been started.
constexpr double kPaysPairs = 5e7;

// The permutations of surrogates [first, first + many), one after the other.
class Permutations {
 public:
  Permutations(const xc_te_options& options, int64_t n) : options_(options), n_(n) {
    if (!options.permutations) return;
    if (options.permutation_values != static_cast<int64_t>(options.surrogates) * n)
      throw invalid_argument("permutations", "permutations hold %lld indices; %d surrogates of %lld tuples need %lld",
                             static_cast<long long>(options.permutation_values), options.surrogates,
                             static_cast<long long>(n), static_cast<long long>(options.surrogates * n));
    for (int64_t i = 0; i < options.permutation_values; ++i) {
      if (options.permutations[i] < 0 || options.permutations[i] >= n)
        throw invalid_argument("permutations", "index %lld is %d; indices lie in 0..%lld", static_cast<long long>(i),
                               options.permutations[i], static_cast<long long>(n - 1));
    }
  }
  void fill(int64_t index, int32_t* out) const {
    if (options_.permutations) std::copy_n(options_.permutations + index * n_, n_, out);
    else permutation(options_.seed, static_cast<uint64_t>(index), n_, out);
  }

 private:
  const xc_te_options& options_;
  int64_t n_;
};

void ksg_on_cpu(const KsgProblem& problem, const Permutations& permutations, const std::vector<double>& psi,
                Estimate& e, double* locals, const Control& control) {
  const trace::OpTimer timer(kOp, kCpu);
  const KsgCpu ksg(problem);
  std::vector<KsgCounts> counts(problem.n);
  ksg.counts(nullptr, counts.data(), control);
  e.result.te = ksg_value(problem, counts.data(), psi, locals);
  // Rounds of surrogates, so that progress is told from the calling thread.
  const int64_t total = static_cast<int64_t>(e.surrogates.size());
  constexpr int64_t kRound = 32;
  for (int64_t first = 0; first < total; first += kRound) {
    thread_pool().parallel_for(std::min(kRound, total - first), 1, [&](int64_t begin, int64_t end) {
      std::vector<int32_t> rows(problem.n);
      std::vector<KsgCounts> own(problem.n);
      for (int64_t s = first + begin; s < first + end; ++s) {
        permutations.fill(s, rows.data());
        ksg.counts(rows.data(), own.data(), control);
        e.surrogates[s] = ksg_value(problem, own.data(), psi, nullptr);
      }
    });
    control.progress(static_cast<double>(std::min(total, first + kRound)), static_cast<double>(total));
  }
  e.result.device = kCpu;
}

#if XCORE_CUDA
void ksg_on_cuda(int device, const KsgProblem& problem, const Permutations& permutations,
                 const std::vector<double>& psi, Estimate& e, double* locals, const Control& control) {
  const trace::OpTimer timer(kOp, cuda_device(device));
  std::vector<KsgCounts> counts(problem.n);
  ksg_counts_cuda(device, problem, nullptr, 1, counts.data(), control);
  e.result.te = ksg_value(problem, counts.data(), psi, locals);
  const int64_t total = static_cast<int64_t>(e.surrogates.size());
  const int64_t round = std::max<int64_t>(1, std::min<int64_t>(total, 4000000 / problem.n));
  std::vector<int32_t> rows(static_cast<size_t>(round) * problem.n);
  counts.resize(static_cast<size_t>(round) * problem.n);
  for (int64_t first = 0; first < total; first += round) {
    const int64_t many = std::min(round, total - first);
    thread_pool().parallel_for(many, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) permutations.fill(first + s, rows.data() + s * problem.n);
    });
    ksg_counts_cuda(device, problem, rows.data(), many, counts.data(), control);
    for (int64_t s = 0; s < many; ++s)
      e.surrogates[first + s] = ksg_value(problem, counts.data() + s * problem.n, psi, nullptr);
    control.progress(static_cast<double>(first + many), static_cast<double>(total));
  }
  e.result.device = cuda_device(device);
}
#endif

void ksg(const Embedding& embedding, const xc_te_options& o, const Permutations& permutations, Estimate& e,
         bool want_locals, const Control& control) {
  const KsgProblem problem{embedding.n, embedding.future.values.data(), embedding.past.values.data(),
                           embedding.source.values.data(), embedding.future.dims, embedding.past.dims,
                           embedding.source.dims, o.k, o.theiler, nullptr, 1, false};
  const auto psi = digamma_table(embedding.n + 1);
  if (want_locals) e.locals.resize(embedding.n);
  double* locals = want_locals ? e.locals.data() : nullptr;
  const double n = static_cast<double>(embedding.n);
  const bool fits = o.k <= kKsgCudaMaxK && embedding.future.dims + embedding.past.dims + embedding.source.dims <= kKsgCudaMaxDims;
  const bool pays = fits && n * n * (1.0 + o.surrogates) >= kPaysPairs;
  run_on(
      o.device, pays, kOp,
      [&](int device) {
#if XCORE_CUDA
        ksg_on_cuda(device, problem, permutations, psi, e, locals, control);
#else
        throw error(XC_DEVICE_UNAVAILABLE, "device", -1, "cuda:%d was chosen in a build without CUDA", device);
#endif
      },
      [&] { ksg_on_cpu(problem, permutations, psi, e, locals, control); });
}

void gaussian(const Embedding& embedding, const xc_te_options& o, const Permutations& permutations, Estimate& e,
              const Control& control) {
  if (o.device.kind == XC_DEVICE_CUDA)
    throw error(XC_UNSUPPORTED, "device", -1,
                "the Gaussian estimator runs on the CPU only: it is one pass over the samples. Use 'auto' or 'cpu'.");
  const trace::OpTimer timer(kOp, kCpu);
  e.result.te = gaussian_te(embedding, nullptr);
  const int64_t freedom = static_cast<int64_t>(embedding.source.dims) * embedding.future.dims;
  e.result.analytic_p = chi_squared_tail(2.0 * static_cast<double>(embedding.n) * e.result.te, freedom);
  thread_pool().parallel_for(o.surrogates, 1, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> rows(embedding.n);
    for (int64_t s = begin; s < end; ++s) {
      control.throw_if_cancelled();
      permutations.fill(s, rows.data());
      e.surrogates[s] = gaussian_te(embedding, rows.data());
    }
  });
  e.result.device = kCpu;
}

}  // namespace

Estimate estimate(const xc_te_series& source, const xc_te_series& target, const xc_te_series& conditions,
                  int64_t samples, const xc_te_options& o, bool want_locals, const Control& control) {
  if (o.estimator != XC_TE_KSG1 && o.estimator != XC_TE_GAUSSIAN)
    throw error(XC_UNSUPPORTED, "estimator", -1, "estimator %d is not known; 1 is KSG algorithm 1, 2 is Gaussian", o.estimator);
  if (want_locals && o.estimator != XC_TE_KSG1)
    throw error(XC_UNSUPPORTED, "locals", -1, "local values exist for the KSG estimator only");
  const Embedding embedding = embed(source, target, conditions, samples, o);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  Estimate e;
  e.result = {sizeof(xc_te_result), 0, 0.0, embedding.n, embedding.first, nan, nan, nan, nan, kCpu};
  e.surrogates.assign(o.surrogates, 0.0);
  const Permutations permutations(o, embedding.n);
  if (embedding.source_constant || embedding.target_constant) {
    resolve_device(o.device, false, kOp);  // a device that does not exist is an error here too
    if (want_locals) e.locals.assign(embedding.n, 0.0);
    if (o.estimator == XC_TE_GAUSSIAN) e.result.analytic_p = 1;
  } else if (o.estimator == XC_TE_KSG1) {
    ksg(embedding, o, permutations, e, want_locals, control);
  } else {
    gaussian(embedding, o, permutations, e, control);
  }
  const Significance s = significance(e.result.te, e.surrogates);
  e.result.surrogate_mean = s.mean;
  e.result.surrogate_std = s.std;
  e.result.p_value = s.p_value;
  return e;
}

}  // namespace xcore::te
