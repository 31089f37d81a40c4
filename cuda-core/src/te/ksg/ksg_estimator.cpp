// KSG as an Estimator, on the CPU and on a GPU.
#include <algorithm>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "te/estimate/estimator.hpp"
#include "te/ksg/ksg_estimator.hpp"
#include "te/ksg/target_index.hpp"

namespace xcore::te {
namespace {

KsgProblem problem_of(const Embedding& e, const xc_te_options& o) {
  KsgProblem p;
  p.n = e.n;
  p.future = e.future.values.data(), p.future_dims = e.future.dims;
  p.past = e.past.values.data(), p.past_dims = e.past.dims;
  p.source = e.source.values.data(), p.source_dims = e.source.dims;
  p.k = o.k, p.theiler = o.theiler, p.time = e.times();
  p.algorithm = o.estimator == XC_TE_KSG2 ? 2 : 1;
  p.single = o.single_precision != 0;
  return p;
}

template <class T>
class KsgOnCpu : public Estimator {
 public:
  explicit KsgOnCpu(const KsgProblem& p)
      : problem_(p), parameters_{p.k, p.theiler, p.algorithm, nullptr}, psi_(digamma_table(p.n + 1)), target_(p),
        source_(p.source, p.source_dims, p.n) {}

  double value(double* locals, const Control& control) const override { return of(source_, nullptr, locals, control); }
  void permuted(const int32_t* rows, int64_t count, double* out, const Control& control) const override {
    thread_pool().parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) out[s] = of(source_, rows + s * problem_.n, nullptr, control);
    });
  }
  double with_source(const double* columns, const Control& control) const override {
    return of(SourceIndex<T>(columns, problem_.source_dims, problem_.n), nullptr, nullptr, control);
  }

 private:
  double of(const SourceIndex<T>& source, const int32_t* rows, double* locals, const Control& control) const {
    Scratch<KsgCounts> counts(problem_.n);
    target_.scan(source, rows, parameters_, counts.data(), control);
    return ksg_value(problem_, counts.data(), psi_, locals);
  }
  KsgProblem problem_;
  KsgParameters parameters_;
  std::vector<double> psi_;
  TargetIndex<T> target_;
  SourceIndex<T> source_;
};

#if XCORE_CUDA
class KsgOnCuda : public Estimator {
 public:
  KsgOnCuda(const KsgProblem& p, int device) : problem_(p), device_(device), psi_(digamma_table(p.n + 1)) {}

  double value(double* locals, const Control& control) const override {
    Scratch<KsgCounts> counts(problem_.n);
    ksg_counts_cuda(device_, problem_, nullptr, 1, counts.data(), control);
    return ksg_value(problem_, counts.data(), psi_, locals);
  }
  void permuted(const int32_t* rows, int64_t count, double* out, const Control& control) const override {
    Scratch<KsgCounts> counts(static_cast<size_t>(count) * problem_.n);
    ksg_counts_cuda(device_, problem_, rows, count, counts.data(), control);
    thread_pool().parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) out[s] = ksg_value(problem_, counts.data() + s * problem_.n, psi_, nullptr);
    });
  }
  double with_source(const double* columns, const Control& control) const override {
    KsgProblem other = problem_;
    other.source = columns;
    return KsgOnCuda(other, device_).value(nullptr, control);
  }
  xc_device device() const override { return cuda_device(device_); }

 private:
  KsgProblem problem_;
  int device_;
  std::vector<double> psi_;
};
#endif

template <class T>
std::vector<double> values_of(KsgProblem p, const std::vector<int32_t>& neighbours, const Control& control) {
  const TargetIndex<T> target(p);
  const SourceIndex<T> source(p.source, p.source_dims, p.n);
  const std::vector<double> psi = digamma_table(p.n + 1);
  Scratch<KsgCounts> counts(p.n);
  std::vector<double> out;
  for (const int32_t k : neighbours) {
    p.k = k;
    target.scan(source, nullptr, {k, p.theiler, p.algorithm, nullptr}, counts.data(), control);
    out.push_back(ksg_value(p, counts.data(), psi, nullptr));
  }
  return out;
}

}  // namespace

std::vector<double> ksg_values(const Embedding& e, const xc_te_options& o, const std::vector<int32_t>& neighbours, const Control& control) {
  return o.single_precision ? values_of<float>(problem_of(e, o), neighbours, control) : values_of<double>(problem_of(e, o), neighbours, control);
}

std::unique_ptr<Estimator> make_ksg(const Embedding& e, const xc_te_options& o) {
  if (o.single_precision) return std::make_unique<KsgOnCpu<float>>(problem_of(e, o));
  return std::make_unique<KsgOnCpu<double>>(problem_of(e, o));
}

#if XCORE_CUDA
std::unique_ptr<Estimator> make_ksg_cuda(const Embedding& e, const xc_te_options& o, int device) {
  return std::make_unique<KsgOnCuda>(problem_of(e, o), device);
}
#endif

}  // namespace xcore::te
