#include "te/estimate/estimator.hpp"

#include <limits>

#include "runtime/device.hpp"
#include "te/ksg/ksg.hpp"

namespace xcore::te {
namespace {

// The GPU looks at all pairs of tuples, the CPU does not, but the CPU's search loses with more columns. Measured
// (`xcore_te_bench pair cuda`, bench/results/te-networks.md): with three columns an H200 is ahead of 16 threads at 10,000 tuples and
// behind at 30,000, with five it is ahead at 100,000 still. With fewer pairs (tuples^2 times estimates) than this the CPU
// takes a few milliseconds, and the first use of a GPU costs 150.
constexpr double kPaysPairs = 1e8;
constexpr double kPaysTuples = 15'000, kPaysTuplesOfMany = 100'000;

int64_t columns(const Embedding& e) { return int64_t{e.future.dims} + e.past.dims + e.source.dims; }

}  // namespace

double Estimator::analytic_p(double) const { return std::numeric_limits<double>::quiet_NaN(); }
xc_device Estimator::device() const { return kCpu; }

Scaling scaling_of(const xc_te_options& o) {
  return o.estimator == XC_TE_KERNEL || o.estimator == XC_TE_BINNED ? Scaling::raw : Scaling::normalised;
}

bool pays_on_cuda(const Embedding& e, const xc_te_options& o, double estimates) {
  if (o.estimator == XC_TE_GAUSSIAN || o.estimator == XC_TE_BINNED) return false;
  if (columns(e) > kKsgCudaMaxDims || (o.estimator != XC_TE_KERNEL && o.k > kKsgCudaMaxK)) return false;
  const double n = static_cast<double>(e.n);
  return n <= (columns(e) <= 3 ? kPaysTuples : kPaysTuplesOfMany) && n * n * estimates >= kPaysPairs;
}

std::unique_ptr<Estimator> make_estimator(const Embedding& e, const xc_te_options& o, xc_device device) {
  const bool cuda = device.kind == XC_DEVICE_CUDA;
#if !XCORE_CUDA
  if (cuda) throw error(XC_DEVICE_UNAVAILABLE, "device", -1, "cuda:%d was chosen in a build without CUDA", device.index);
#endif
  switch (o.estimator) {
    case XC_TE_GAUSSIAN:
    case XC_TE_BINNED:
      if (cuda)
        throw error(XC_UNSUPPORTED, "device", -1,
                    "the Gaussian and the binned estimator run on the CPU only: they are one pass over the samples. Use "
                    "'auto' or 'cpu'; transferEntropyNetwork has them on the GPU for all pairs.");
      return o.estimator == XC_TE_GAUSSIAN ? make_gaussian(e, o) : make_binned(e, o);
    case XC_TE_KERNEL:
#if XCORE_CUDA
      if (cuda) return make_kernel_cuda(e, o, device.index);
#endif
      return make_kernel(e, o);
    default:
#if XCORE_CUDA
      if (cuda) return make_ksg_cuda(e, o, device.index);
#endif
      return make_ksg(e, o);
  }
}

}  // namespace xcore::te
